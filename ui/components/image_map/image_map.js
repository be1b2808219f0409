// The map of images: each a point on a canvas. Pointing, zooming and highlighting stay in the browser;
// only a click or Enter sends the picked image to the server.

import { element } from "../elements.js";
import { handleKey, ZOOM_STEP } from "./keyboard.js";
import { Legend } from "./legend.js";
import { Overlays } from "./overlays.js";
import { unpack } from "./packet.js";
import { Pointer } from "./pointer.js";
import { FADED, paintPoints, SOLID } from "./points.js";
import { SIDE, thumbnails } from "./thumbnails.js";
import { Viewport } from "./viewport.js";

const REACH = 28; // CSS pixels from the pointer in which it finds an image
const MAX_THUMBNAILS = 160; // as many images in view are shown themselves, not as points
const SCREEN_READER_DELAY_MS = 400; // a screen reader cannot follow every move of the pointer

export class ImageMap {
  pointed = null; // the image under the pointer or the keyboard's cursor
  send = null; // is called with a picked image
  #packet = null;
  #asked = { chosen: null, byError: false };
  #groups = null; // of each image: its class, or 0 for right and 1 for wrong
  #highlight = null; // a group
  #colours = null; // of the groups; null until the first drawing
  #gap = 0; // CSS pixels from a point to its card
  #frameRequest = 0;
  #announcement = 0;

  constructor(root) {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.overlays = new Overlays();
    this.stage = element(
      "div",
      { className: "stage", tabIndex: 0, role: "application" },
      this.canvas,
      ...this.overlays.elements,
    );
    this.viewport = new Viewport(this.stage);
    const button = (text, label, onclick) =>
      element("button", { type: "button", title: label, "aria-label": label, onclick }, text);
    const buttons = element(
      "div",
      { className: "zoom" },
      button("+", "Zoom in", () => this.zoomBy(ZOOM_STEP)),
      button("−", "Zoom out", () => this.zoomBy(1 / ZOOM_STEP)),
      button("⤢", "Whole map", () => this.reset()),
    );
    this.legend = new Legend();
    this.live = element("div", { className: "live", "aria-live": "polite" });
    const frame = element("div", { className: "frame" }, this.stage, buttons);
    root.replaceChildren(this.legend.element, frame, this.live);

    const { stage } = this;
    new Pointer(this);
    stage.onkeydown = (event) => handleKey(this, event);
    stage.onfocus = () => {
      if (stage.matches(":focus-visible")) this.point(this.cursor);
    };
    stage.onblur = () => this.point(null);
    const draw = () => this.#draw();
    const resized = new ResizeObserver(draw);
    resized.observe(stage);
    // Another screen may have other pixels and leave the size as it is.
    const pixels = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    pixels.addEventListener("change", draw);
    thumbnails.onSettled = () => this.#drawLater();
    this.remove = () => {
      resized.disconnect();
      pixels.removeEventListener("change", draw);
      cancelAnimationFrame(this.#frameRequest);
      clearTimeout(this.#announcement);
    };
  }

  /** Takes in a map: another one, or the same once more. */
  receive(bytes) {
    if (bytes.length === this.bytes?.length && bytes.every((byte, at) => byte === this.bytes[at])) {
      this.#drawLater(); // perhaps the theme is another
      return;
    }
    this.bytes = bytes;
    this.#packet = unpack(bytes);
    this.stage.setAttribute(
      "aria-label",
      `Map of ${this.#packet.count} test images. Arrow keys go to another image, Enter opens it ` +
        "everywhere, + and − zoom, Home shows the whole map.",
    );
    this.overlays.setMap(this.#packet);
    this.#setGroups();
    this.viewport.reset(this.#packet.extent);
    this.#drawLater();
  }

  /** Shows what the server asks for: the chosen image, and which colours. */
  look(asked) {
    const recoloured = asked.byError !== this.#asked.byError;
    this.#asked = asked;
    if (!this.#packet) return;
    if (recoloured) this.#setGroups();
    this.#drawLater();
  }

  #setGroups() {
    const { classes, labels, predictions } = this.#packet;
    const { byError } = this.#asked;
    this.#groups = byError ? labels.map((label, i) => Number(label !== predictions[i])) : labels;
    this.#highlight = null;
    const sizes = [0, 0];
    if (byError) for (const group of this.#groups) sizes[group] += 1;
    const names = byError ? [`right (${sizes[0]})`, `wrong (${sizes[1]})`] : classes;
    this.legend.setGroups(names, (group) => {
      this.#highlight = this.#highlight === group ? null : group;
      this.#drawLater();
    });
  }

  // --- images and their places, in CSS pixels of the canvas -----------------------------------------

  /** The image that a key starts from. */
  get cursor() {
    return this.pointed ?? this.#asked.chosen;
  }

  whereIs(image) {
    return this.viewport.onCanvas(this.#packet.x[image], this.#packet.y[image]);
  }

  /** Whether an image may be pointed at: it is not faded. */
  #isLit(image) {
    return this.#highlight === null || this.#groups[image] === this.#highlight;
  }

  /** The image whose place costs least; null where all cost Infinity. */
  best(cost) {
    const { count, x, y } = this.#packet;
    const { scale } = this.viewport;
    const [zeroX, zeroY] = this.viewport.onCanvas(0, 0, scale);
    let [best, least] = [null, Infinity];
    for (let i = 0; i < count; i++) {
      if (!this.#isLit(i)) continue;
      const found = cost(zeroX + x[i] * scale, zeroY - y[i] * scale);
      if (found < least) [best, least] = [i, found];
    }
    return best;
  }

  /** The image nearest to a place, if one is within reach. */
  nearest([x, y]) {
    return this.best((left, top) => {
      const distance = Math.hypot(left - x, top - y);
      return distance <= REACH ? distance : Infinity;
    });
  }

  // --- the view, and what a student does with it ------------------------------------------------

  get showsAll() {
    return this.viewport.zoom === 1;
  }

  reset() {
    this.viewport.reset();
    this.#afterPan();
  }

  zoomBy(factor, at) {
    this.viewport.zoomBy(factor, at);
    this.#afterPan();
  }

  /** Moves the map by a distance in CSS pixels. */
  drag(x, y) {
    const { scale } = this.viewport;
    this.viewport.pan(-x / scale, y / scale);
    this.#afterPan();
  }

  /** Brings an image into view. */
  show(image) {
    if (this.viewport.show(this.#packet.x[image], this.#packet.y[image])) this.#afterPan();
  }

  #afterPan() {
    // Only a map that is larger than the canvas can be dragged; else a finger scrolls the page.
    this.canvas.style.touchAction = this.showsAll ? "pan-y" : "none";
    this.#drawLater();
  }

  /** Points at an image, or at none. */
  point(image) {
    if (!this.#packet || image === this.pointed) return;
    this.pointed = image;
    const sentence = image === null ? "" : this.overlays.describe(image, this.#packet);
    this.#updateMarks();
    clearTimeout(this.#announcement);
    const announce = () => (this.live.textContent = sentence);
    this.#announcement = setTimeout(announce, SCREEN_READER_DELAY_MS);
  }

  /** Sends the server an image that is not chosen yet. */
  pick(image) {
    if (image !== null && image !== this.#asked.chosen) this.send(image);
  }

  // --- drawing --------------------------------------------------------------------------------------

  #drawLater() {
    cancelAnimationFrame(this.#frameRequest);
    this.#frameRequest = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const [width, height] = this.viewport.size;
    if (!this.#packet || !width || !height) return;
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.#colours = this.#groupColours();
    const points = this.#pointsInView();
    const asImages = points.length <= MAX_THUMBNAILS && thumbnails.load(this.#packet.thumbnails);
    const zoom = Math.max(1, Math.round(ratio)) * (points.length <= MAX_THUMBNAILS / 4 ? 2 : 1);
    const context = this.canvas.getContext("2d");
    if (asImages) for (const point of points) thumbnails.drawFramed(context, point, zoom);
    else paintPoints(context, points, this.viewport.zoom, Math.ceil(SIDE * ratio), this.#background);
    this.stage.classList.toggle("images", asImages);
    this.stage.style.setProperty("--side", `${(SIDE * zoom) / ratio}px`);
    this.#gap = asImages ? (SIDE * zoom) / ratio / 2 + 12 : 22;
    this.#updateOverlays();
  }

  /** The images in view, in the order in which they are drawn: faded ones first, wrong ones last. */
  #pointsInView() {
    const { count, x, y } = this.#packet;
    const ratio = devicePixelRatio;
    const [width, height] = this.viewport.size;
    const { scale } = this.viewport;
    const [zeroX, zeroY] = this.viewport.onCanvas(0, 0, scale);
    const inView = [];
    for (let i = 0; i < count; i++) {
      const [left, top] = [zeroX + x[i] * scale, zeroY - y[i] * scale];
      if (left > -SIDE && left < width + SIDE && top > -SIDE && top < height + SIDE) inView.push(i);
    }
    const isOnTop = (i) =>
      this.#highlight === null ? this.#asked.byError && this.#groups[i] === 1 : this.#isLit(i);
    return [...inView.filter((i) => !isOnTop(i)), ...inView.filter(isOnTop)].map((i) => ({
      image: i,
      x: Math.round((zeroX + x[i] * scale) * ratio),
      y: Math.round((zeroY - y[i] * scale) * ratio),
      colour: this.#colours[this.#groups[i]],
      opacity: this.#isLit(i) ? SOLID : FADED,
    }));
  }

  /** The page's own colour: red, green, blue. */
  get #background() {
    return getComputedStyle(this.stage).backgroundColor.match(/[\d.]+/g).map(Number);
  }

  /** The colours of the groups, for a light or a dark page. */
  #groupColours() {
    const { classColours, verdictColours } = this.#packet;
    const { light, dark } = this.#asked.byError ? verdictColours : classColours;
    const [red, green, blue] = this.#background;
    return red + green + blue > 380 ? light : dark;
  }

  #updateOverlays() {
    const { medians, thumbnails: picture } = this.#packet;
    const places = medians.map(([x, y]) => this.viewport.onCanvas(x, y));
    const isFaded = (label) => !this.#asked.byError && ![null, label].includes(this.#highlight);
    this.overlays.placeNames(places, isFaded);
    this.overlays.reportProblem(picture.file);
    this.legend.update(this.#colours, this.#highlight);
    this.#updateMarks();
  }

  /** Rings the chosen and the pointed image, and shows the pointed one beside its point. */
  #updateMarks() {
    if (!this.#colours) return; // nothing is drawn yet
    const mark = (image) =>
      image === null
        ? null
        : { place: this.whereIs(image), colour: this.#colours[this.#groups[image]] };
    this.overlays.placeRings([mark(this.#asked.chosen), mark(this.pointed)]);
    this.overlays.card.hidden = this.pointed === null;
    if (this.pointed === null) return;
    const hasPicture = thumbnails.load(this.#packet.thumbnails);
    const place = this.whereIs(this.pointed);
    this.overlays.placeCard(place, this.viewport.size, this.#gap, this.pointed, hasPicture);
  }
}
