// The map of images: each a point on a canvas. Pointing, zooming and highlighting stay in the browser;
// only a click or Enter tells the server which image was picked.

const MARGIN = 26; // CSS pixels around the points when the whole map is in view
const REACH = 28; // CSS pixels from the pointer in which it finds an image
const STEP = 14; // CSS pixels that an arrow key goes at least: the next image is often nearer than one
const SLIP = 4; // CSS pixels that a click may move
const DEEPEST = 80;
const CLOSER = 1.6; // zoom a button or a key brings
const FEW = 160; // as many images in view are shown themselves, not as points
const SIDE = 28; // pixels of an image
const [SOLID, FADED] = [0.9, 0.13]; // how opaque a point is
const LINE = 15; // CSS pixels from one class's name to another below it
const QUIET = 400; // ms until a screen reader is told

// What is known outside one map: the picture with all images, and what the server asks for.
const shared = (globalThis.imageMap ??= {});
const mounted = new Map();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!mounted.has(parentElement)) {
    mounted.set(parentElement, new ImageMap(parentElement.querySelector(".image-map")));
  }
  const map = (shared.map = mounted.get(parentElement));
  map.send = (image) => setTriggerValue("picked", image);
  map.receive(data);
  return () => {
    map.remove();
    mounted.delete(parentElement);
    if (shared.map === map) delete shared.map;
  };
}

/** Reads a packet of core/packet.py, `map_packet`. */
function unpack(bytes) {
  const { buffer } = bytes.slice();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const { count } = header;
  const start = 4 + length;
  const [x, y, sureness] = [0, 1, 2].map((i) => new Uint16Array(buffer, start + 2 * i * count, count));
  const [labels, predictions] = [6, 7].map((i) => new Uint8Array(buffer, start + i * count, count));
  return { ...header, x, y, sureness, labels, predictions };
}

/** Creates an element; `properties` are assigned, those with a dash are attributes. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** The red, green and blue of "#rrggbb". */
const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** A colour as ImageData has it in memory, opaque. */
const packed = ([red, green, blue]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

/** A packed colour, `part` of 256 of another over it; red and blue take the same steps at once. */
function blend(below, above, part) {
  const rest = 256 - part;
  const redBlue = ((below & 0xff00ff) * rest + (above & 0xff00ff) * part) >>> 8;
  const green = ((below & 0xff00) * rest + (above & 0xff00) * part) >>> 8;
  return 0xff000000 | (redBlue & 0xff00ff) | (green & 0xff00);
}

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

class ImageMap {
  #packet = null;
  #asked = { chosen: null, byError: false };
  #highlight = null; // a group: a class, or 0 for right and 1 for wrong
  #pointed = null; // the image under the pointer or the keyboard's cursor
  #zoom = 1; // 1 is the whole map
  #centre = [0, 0]; // what is in the middle of the canvas
  #pointers = new Map(); // those that are down: where they are
  #slipped = false; // whether they have moved since
  #pressed = null; // the image that the last of them went down on
  #hover = null; // the last event of a pointer that was not down
  #waiting = 0;
  #speaking = 0;

  constructor(root) {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.names = element("div", { className: "names", "aria-hidden": "true" });
    this.rings = ["chosen", "pointed"].map((what) => element("div", { className: `ring ${what}` }));
    this.preview = element("canvas", { width: SIDE, height: SIDE });
    this.title = element("b");
    this.words = element("span");
    this.card = element("div", { className: "card", "aria-hidden": "true" });
    this.card.append(this.preview, this.title, this.words);
    this.axes = [element("span", { className: "axis" }), element("span", { className: "axis up" })];
    this.problem = element("p", { className: "problem", role: "status" });
    this.stage = element(
      "div",
      { className: "stage", tabIndex: 0, role: "application" },
      this.canvas,
      this.names,
      ...this.axes,
      ...this.rings,
      this.card,
      this.problem,
    );
    const button = (text, label, onclick) =>
      element("button", { type: "button", title: label, "aria-label": label, onclick }, text);
    this.buttons = element(
      "div",
      { className: "zoom" },
      button("+", "Zoom in", () => this.#zoomBy(CLOSER)),
      button("−", "Zoom out", () => this.#zoomBy(1 / CLOSER)),
      button("⤢", "Whole map", () => this.#reset()),
    );
    this.legend = element("div", { className: "legend", role: "group", "aria-label": "Highlight" });
    this.live = element("div", { className: "live", "aria-live": "polite" });
    const frame = element("div", { className: "frame" }, this.stage, this.buttons);
    root.replaceChildren(this.legend, frame, this.live);

    const { canvas, stage } = this;
    canvas.onpointerdown = (event) => this.#press(event);
    canvas.onpointermove = (event) => this.#move(event);
    canvas.onpointerup = (event) => this.#release(event);
    canvas.onpointercancel = ({ pointerId }) => this.#pointers.delete(pointerId);
    canvas.onpointerleave = ({ pointerType }) => {
      if (pointerType === "mouse") this.#point(null);
    };
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.onkeydown = (event) => this.#key(event);
    stage.onfocus = () => {
      if (stage.matches(":focus-visible")) this.#point(this.#pointed ?? this.#asked.chosen);
    };
    stage.onblur = () => this.#point(null);
    const draw = () => this.#draw();
    const resized = new ResizeObserver(draw);
    resized.observe(stage);
    // Another screen may have other pixels and leave the size as it is.
    const pixels = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    pixels.addEventListener("change", draw);
    this.remove = () => {
      resized.disconnect();
      pixels.removeEventListener("change", draw);
      cancelAnimationFrame(this.#waiting);
      clearTimeout(this.#speaking);
    };
    if (shared.asked) this.#asked = shared.asked;
  }

  /** Takes in a map: another one, or the same once more. */
  receive(bytes) {
    if (bytes.length === this.bytes?.length && bytes.every((byte, at) => byte === this.bytes[at])) {
      this.#later(); // perhaps the theme is another
      return;
    }
    this.bytes = bytes;
    this.#packet = unpack(bytes);
    const { axes, classes, count } = this.#packet;
    this.stage.setAttribute(
      "aria-label",
      `Map of ${count} test images. Arrow keys go to another image, Enter opens it everywhere, ` +
        "+ and − zoom, Home shows the whole map.",
    );
    this.names.replaceChildren(...classes.map((name) => element("span", {}, name)));
    this.axes.forEach((axis, i) => (axis.textContent = axes[i] ? `${axes[i]} →` : ""));
    this.#describe();
    this.#reset();
  }

  /** Shows what the server asks for: the chosen image, and which colours. */
  look(asked) {
    const recoloured = asked.byError !== this.#asked.byError;
    this.#asked = asked;
    if (!this.#packet) return;
    if (recoloured) this.#describe();
    this.#later();
  }

  /** Names the groups and their colours, each with a button. */
  #describe() {
    const { classes, labels, predictions } = this.#packet;
    const { byError } = this.#asked;
    this.groups = byError ? labels.map((label, i) => Number(label !== predictions[i])) : labels;
    this.#highlight = null;
    const sizes = [0, 0];
    if (byError) for (const group of this.groups) sizes[group] += 1;
    const words = byError ? [`right (${sizes[0]})`, `wrong (${sizes[1]})`] : classes;
    this.legend.replaceChildren(
      ...words.map((word, group) => {
        const onclick = () => {
          this.#highlight = this.#highlight === group ? null : group;
          this.#later();
        };
        return element("button", { type: "button", onclick }, element("i"), word);
      }),
    );
  }

  // --- places: on the map as the packet has them, on the canvas in CSS pixels -------------------

  get #size() {
    return [this.stage.clientWidth, this.stage.clientHeight];
  }

  /** CSS pixels a unit of the map. */
  get #scale() {
    const [width, height] = this.#size;
    const [wide, tall] = this.#packet.extent;
    const fit = Math.min((width - 2 * MARGIN) / (wide || 1), (height - 2 * MARGIN) / (tall || 1));
    return this.#zoom * fit;
  }

  /** Where a place of the map is on the canvas; y rises upwards on the map only. */
  #onCanvas(x, y, scale = this.#scale) {
    const [width, height] = this.#size;
    const [left, middle] = this.#centre;
    return [width / 2 + (x - left) * scale, height / 2 - (y - middle) * scale];
  }

  #whereIs(image) {
    return this.#onCanvas(this.#packet.x[image], this.#packet.y[image]);
  }

  /** The images that may be pointed at: those not faded. */
  #isLit(image) {
    return this.#highlight === null || this.groups[image] === this.#highlight;
  }

  /** The image whose place costs least; null where all cost Infinity. `cost` gets CSS pixels. */
  #best(cost) {
    const { count, x, y } = this.#packet;
    const scale = this.#scale;
    const [zeroX, zeroY] = this.#onCanvas(0, 0, scale);
    let [best, least] = [null, Infinity];
    for (let i = 0; i < count; i++) {
      if (!this.#isLit(i)) continue;
      const found = cost(zeroX + x[i] * scale, zeroY - y[i] * scale);
      if (found < least) [best, least] = [i, found];
    }
    return best;
  }

  #nearest([x, y]) {
    return this.#best((left, top) => {
      const distance = Math.hypot(left - x, top - y);
      return distance <= REACH ? distance : Infinity;
    });
  }

  // --- what is in view ----------------------------------------------------------------------------

  #reset() {
    this.#zoom = 1;
    this.#centre = this.#packet.extent.map((side) => side / 2);
    this.#later();
  }

  /** Zooms so that the place of the map at [x, y] on the canvas stays there. */
  #zoomBy(factor, at = this.#size.map((side) => side / 2)) {
    const before = this.#scale;
    this.#zoom = clamp(this.#zoom * factor, 1, DEEPEST);
    const gain = 1 / before - 1 / this.#scale;
    const [width, height] = this.#size;
    this.#pan((at[0] - width / 2) * gain, (height / 2 - at[1]) * gain);
  }

  /** Moves the view on the map, but not off it. */
  #pan(x, y) {
    const scale = this.#scale;
    this.#centre = this.#centre.map((place, i) => {
      const side = this.#packet.extent[i];
      const seen = (this.#size[i] / 2 - MARGIN) / scale;
      return 2 * seen >= side ? side / 2 : clamp(place + [x, y][i], seen, side - seen);
    });
    // Only a map that is larger than the canvas can be dragged; else a finger scrolls the page.
    this.canvas.style.touchAction = this.#zoom > 1 ? "none" : "pan-y";
    this.#later();
  }

  /** Brings an image into view. */
  #show(image) {
    const [x, y] = this.#whereIs(image);
    const [width, height] = this.#size;
    if (x > MARGIN && x < width - MARGIN && y > MARGIN && y < height - MARGIN) return;
    this.#pan(this.#packet.x[image] - this.#centre[0], this.#packet.y[image] - this.#centre[1]);
  }

  // --- drawing ------------------------------------------------------------------------------------

  #later() {
    cancelAnimationFrame(this.#waiting);
    this.#waiting = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const [width, height] = this.#size;
    if (!this.#packet || !width || !height) return;
    const { count, x, y } = this.#packet;
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const scale = this.#scale;
    const [zeroX, zeroY] = this.#onCanvas(0, 0, scale);
    const inView = [];
    for (let i = 0; i < count; i++) {
      const [left, top] = [zeroX + x[i] * scale, zeroY - y[i] * scale];
      if (left > -SIDE && left < width + SIDE && top > -SIDE && top < height + SIDE) inView.push(i);
    }
    const colours = this.#colours();
    const asImages = inView.length <= FEW && this.#thumbnails();
    const zoom = Math.max(1, Math.round(ratio)) * (inView.length <= FEW / 4 ? 2 : 1);
    // Faded ones first, and the wrong ones last of all.
    const isOnTop = (i) =>
      this.#highlight === null ? this.#asked.byError && this.groups[i] === 1 : this.#isLit(i);
    const points = [...inView.filter((i) => !isOnTop(i)), ...inView.filter(isOnTop)].map((i) => ({
      image: i,
      x: Math.round((zeroX + x[i] * scale) * ratio),
      y: Math.round((zeroY - y[i] * scale) * ratio),
      colour: colours[this.groups[i]],
      opacity: this.#isLit(i) ? SOLID : FADED,
    }));
    const context = this.canvas.getContext("2d");
    if (asImages) for (const point of points) this.#drawImage(context, point, zoom);
    else this.#paint(context, points);
    this.stage.classList.toggle("images", asImages);
    this.stage.style.setProperty("--side", `${(SIDE * zoom) / ratio}px`);
    this.room = asImages ? (SIDE * zoom) / ratio / 2 + 12 : 22;
    this.#dress(colours);
  }

  /** The page's own colour: red, green, blue. */
  get #ground() {
    return getComputedStyle(this.stage).backgroundColor.match(/[\d.]+/g).map(Number);
  }

  /** The colours of the groups, for a light or a dark page. */
  #colours() {
    const { classColours, verdictColours } = this.#packet;
    const { light, dark } = this.#asked.byError ? verdictColours : classColours;
    const [red, green, blue] = this.#ground;
    return red + green + blue > 380 ? light : dark;
  }

  /**
   * Paints points pixel by pixel: without a graphics card that is several times as fast as drawing
   * 10,000 of them. They are larger on a larger canvas and in a deeper zoom.
   */
  #paint(context, points) {
    const { width, height } = this.canvas;
    const size = Math.min(width, height);
    const radius = Math.min((size / 400) * this.#zoom ** 0.4, size / 90);
    const reach = Math.ceil(radius);
    const edge = Math.ceil(SIDE * devicePixelRatio) + reach; // around the canvas: nothing to clip
    const row = width + 2 * edge;
    const image = context.createImageData(row, height + 2 * edge);
    const pixels = new Uint32Array(image.data.buffer).fill(packed(this.#ground));
    const [where, covered] = [[], []]; // the pixels of a point, and how far it covers them
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const share = clamp(radius + 0.5 - Math.hypot(x, y), 0, 1);
        if (!share) continue;
        where.push(y * row + x);
        covered.push(share);
      }
    }
    const brush = (opacity) => Int32Array.from(covered, (share) => 256 * share * opacity);
    const brushes = { [SOLID]: brush(SOLID), [FADED]: brush(FADED) };
    const inks = new Map();
    for (const { x, y, colour, opacity } of points) {
      if (!inks.has(colour)) inks.set(colour, packed(rgb(colour)));
      const ink = inks.get(colour);
      const parts = brushes[opacity];
      const middle = (y + edge) * row + x + edge;
      for (let i = 0; i < parts.length; i++) {
        pixels[middle + where[i]] = blend(pixels[middle + where[i]], ink, parts[i]);
      }
    }
    context.putImageData(image, -edge, -edge);
  }

  /** Draws an image, framed in its colour. */
  #drawImage(context, { image, x, y, colour, opacity }, zoom) {
    const side = SIDE * zoom;
    const frame = Math.round(2 * devicePixelRatio);
    const [left, top] = [x - side / 2, y - side / 2];
    context.globalAlpha = opacity === FADED ? FADED : 1;
    context.fillStyle = colour;
    context.fillRect(left - frame, top - frame, side + 2 * frame, side + 2 * frame);
    context.imageSmoothingEnabled = false;
    context.drawImage(shared.thumbnails, ...this.#cell(image), left, top, side, side);
  }

  /** Where an image is in the picture with all of them: left, top, width, height. */
  #cell(image) {
    const { columns } = this.#packet.thumbnails;
    return [SIDE * (image % columns), SIDE * Math.floor(image / columns), SIDE, SIDE];
  }

  /** Whether the images are there. They are asked for once, by the first who needs them. */
  #thumbnails() {
    if (!shared.thumbnails) {
      const { file } = this.#packet.thumbnails;
      shared.thumbnails = new Image();
      shared.thumbnails.onload = shared.thumbnails.onerror = () => shared.map?.#later();
      shared.thumbnails.src = new URL(`app/static/${file}`, document.baseURI).href;
    }
    return shared.thumbnails.complete && shared.thumbnails.naturalWidth > 0;
  }

  /** Puts names, legend and rings where they belong. */
  #dress(colours) {
    this.#write();
    const { thumbnails } = shared;
    const failed = thumbnails?.complete && thumbnails.naturalWidth === 0;
    this.problem.textContent = failed
      ? `Points alone: static/${this.#packet.thumbnails.file}, the picture of all images, is missing ` +
        "or damaged. Reload the page; if that does not help, restore the file from the repository."
      : "";
    [...this.legend.children].forEach((button, group) => {
      button.firstChild.style.background = colours[group];
      button.setAttribute("aria-pressed", String(group === this.#highlight));
    });
    this.colours = colours;
    this.#mark();
  }

  /** Puts each class's name on its median, or below a name that is there already. */
  #write() {
    const names = [...this.names.children].map((name, label) => {
      const [x, y] = this.#onCanvas(...this.#packet.medians[label]);
      return { name, label, x, y, width: name.offsetWidth };
    });
    names.sort((one, other) => one.y - other.y);
    names.forEach((one, position) => {
      for (const other of names.slice(0, position)) {
        const beside = Math.abs(one.x - other.x) > (one.width + other.width) / 2;
        if (!beside && Math.abs(one.y - other.y) < LINE) one.y = other.y + LINE;
      }
      const { name, label, x, y } = one;
      name.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(-50%, -50%)`;
      const faded = !this.#asked.byError && ![null, label].includes(this.#highlight);
      name.classList.toggle("faded", faded);
    });
  }

  /** Rings the chosen and the pointed image, and shows the pointed one beside its point. */
  #mark() {
    if (!this.colours) return; // nothing is drawn yet
    const images = [this.#asked.chosen, this.#pointed];
    this.rings.forEach((ring, i) => {
      ring.hidden = images[i] === null;
      if (!ring.hidden) {
        const [x, y] = this.#whereIs(images[i]);
        ring.style.transform = `translate(${x}px, ${y}px)`;
        // Its point may lie under others.
        ring.style.setProperty("--colour", this.colours[this.groups[images[i]]]);
      }
    });
    this.card.hidden = this.#pointed === null;
    if (this.card.hidden) return;
    const [width, height] = this.#size;
    const [x, y] = this.#whereIs(this.#pointed);
    const { offsetWidth, offsetHeight } = this.card;
    const { room } = this;
    const left = x + room + offsetWidth < width ? x + room : x - room - offsetWidth;
    const top = clamp(y - offsetHeight / 2, 4, height - offsetHeight - 4);
    this.card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    const context = this.preview.getContext("2d");
    context.clearRect(0, 0, SIDE, SIDE);
    if (this.#thumbnails()) {
      context.drawImage(shared.thumbnails, ...this.#cell(this.#pointed), 0, 0, SIDE, SIDE);
    }
  }

  // --- pointer and keyboard -------------------------------------------------------------------------

  /** Points at an image, or at none. */
  #point(image) {
    if (!this.#packet || image === this.#pointed) return;
    this.#pointed = image;
    let sentence = "";
    if (image !== null) {
      const { classes, labels, predictions, sureness } = this.#packet;
      this.title.textContent = `image ${image}, ${classes[labels[image]]}`;
      const sure = (sureness[image] / 10).toFixed(1);
      this.words.textContent = `predicted ${classes[predictions[image]]} with ${sure} %`;
      this.card.classList.toggle("wrong", labels[image] !== predictions[image]);
      sentence = `${this.title.textContent}, ${this.words.textContent}`;
    }
    this.#mark();
    // When the pointer rests: a screen reader cannot follow every move.
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => (this.live.textContent = sentence), QUIET);
  }

  #pick(image) {
    if (image !== null && image !== this.#asked.chosen) this.send(image);
  }

  #place({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  #press(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#slipped = this.#pointers.size > 0; // two fingers do not click
    const now = this.#place(event);
    this.#pointers.set(event.pointerId, now);
    // Located once: a click may move a little, towards another image.
    this.#pressed = this.#nearest(now);
    if (event.pointerType === "mouse") this.#point(this.#pressed);
  }

  #move(event) {
    const now = this.#place(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      this.#hover = event;
      this.#point(this.#nearest(now));
      return;
    }
    const moved = [now[0] - before[0], now[1] - before[1]];
    if (!this.#slipped && Math.hypot(...moved) < SLIP) return;
    this.#slipped = true;
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    if (other) {
      const span = ([x, y]) => Math.max(Math.hypot(x - other[1][0], y - other[1][1]), 1);
      this.#zoomBy(span(now) / span(before), other[1]);
    } else this.#pan(-moved[0] / this.#scale, moved[1] / this.#scale);
    this.#pointers.set(event.pointerId, now);
  }

  #release(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#slipped) {
      // Dragging may have put another image under the mouse.
      if (event.pointerType === "mouse") this.#point(this.#nearest(this.#place(event)));
      return;
    }
    // A finger cannot point first: its first tap shows the image, a second one picks it.
    if (this.#pressed === this.#pointed) this.#pick(this.#pressed);
    else this.#point(this.#pressed);
  }

  #wheel(event) {
    const factor = 2 ** (-event.deltaY * (event.deltaMode ? 0.06 : 0.002));
    // Where the whole map is in view, the wheel scrolls the page on.
    if (factor <= 1 && this.#zoom === 1) return;
    event.preventDefault();
    this.#zoomBy(factor, this.#place(event));
    // Not at the place of this event, which is in whole pixels.
    if (this.#hover) this.#point(this.#nearest(this.#place(this.#hover)));
  }

  #key(event) {
    const arrows = {
      ArrowRight: (x, y) => [x, y],
      ArrowLeft: (x, y) => [-x, y],
      ArrowDown: (x, y) => [y, x],
      ArrowUp: (x, y) => [-y, x],
    };
    const from = this.#pointed ?? this.#asked.chosen;
    const zoom = { "+": CLOSER, "=": CLOSER, "-": 1 / CLOSER, "−": 1 / CLOSER }[event.key];
    if (event.key in arrows && from !== null) this.#step(from, arrows[event.key]);
    else if (zoom) this.#zoomBy(zoom, from === null ? undefined : this.#whereIs(from));
    else if (event.key === "Home") this.#reset();
    else if (event.key === "Enter") this.#pick(this.#pointed);
    else if (event.key === "Escape") this.#point(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Goes from an image to the nearest one in a direction; `turn` makes that the first axis. */
  #step(from, turn) {
    const [x, y] = this.#whereIs(from);
    const image = this.#best((left, top) => {
      const [ahead, aside] = turn(left - x, top - y);
      return ahead >= STEP && Math.abs(aside) <= ahead ? Math.hypot(ahead, aside) : Infinity;
    });
    if (image === null) return;
    this.#point(image);
    this.#show(image);
  }
}
