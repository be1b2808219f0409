// The feature sheet: all maps of a layer on one canvas, one of them chosen.

import { element } from "../elements.js";
import { fixed, gradient, paint, scaleOf } from "./picture.js";
import { followPointer } from "./pointer.js";
import { view } from "./view.js";

const GAP = 4; // CSS pixels between two maps
const CAPTION = 13; // CSS pixels for a map's number
const LARGEST = 78; // CSS pixels of a map's side
const SMALLEST_CAPTIONED = 22;

const ORDERS = {
  index: "index",
  high: "peak on this image",
  mean: "mean on this image",
};

export class Sheet {
  #order = "index";
  #filters = []; // in the order shown
  #statistics = null;
  #cursor = 0; // place in #filters of the keyboard's cursor
  #atlas = document.createElement("canvas");
  #grid = null; // places and sizes, in CSS pixels

  constructor(root) {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.option = element("div", { id: "cursor", className: "cursor", role: "option" });
    this.chosen = element("div", { className: "chosen", "aria-hidden": "true" });
    this.cells = element(
      "div",
      { className: "feature-sheet", tabIndex: 0, role: "listbox", "aria-activedescendant": "cursor" },
      this.canvas,
      this.chosen,
      this.option,
    );
    this.readout = element("p", { className: "readout" });
    this.bar = element("span");
    this.ends = [element("b"), element("b")];
    this.meaning = element("p", { className: "note" });
    this.orders = Object.entries(ORDERS).map(([order, words]) => {
      const input = element("input", { type: "radio", name: "order", value: order });
      input.checked = order === this.#order;
      input.onchange = () => this.#sort(order);
      return element("label", {}, input, words);
    });
    root.replaceChildren(
      element("fieldset", {}, element("legend", {}, "Order by"), ...this.orders),
      this.cells,
      this.readout,
      element("div", { className: "colour-bar" }, this.ends[0], this.bar, this.ends[1]),
      this.meaning,
    );
    followPointer(this.cells, (event) => this.#unitAt(event), () => !view.walking);
    this.cells.onkeydown = (event) => this.#key(event);
    const draw = () => this.#draw();
    const resized = new ResizeObserver(draw);
    resized.observe(this.cells);
    // Another screen may have other pixels and leave the size as it is.
    const pixels = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    pixels.addEventListener("change", draw);
    const stop = view.subscribe((what) => this.#update(what));
    this.remove = () => {
      resized.disconnect();
      pixels.removeEventListener("change", draw);
      stop();
    };
  }

  #update(what) {
    if (what === "choice") this.#cursor = this.#filters.indexOf(view.filter);
    if (what === "all") {
      this.#statistics = view.outputs.statistics(view.layer);
      const layer = view.network.name(view.layer);
      const [height, width, count] = view.network.shapes[view.layer];
      this.cells.setAttribute(
        "aria-label",
        view.network.isFlat(view.layer)
          ? `The ${count} units of ${layer}. Arrow keys move, Enter chooses.`
          : `The ${count} maps of ${layer}, ${height}×${width} each. ` +
              "Arrow keys move, Enter chooses.",
      );
      const flat = view.network.isFlat(view.layer);
      const [, high, mean] = this.orders;
      high.lastChild.data = flat ? "value" : ORDERS.high;
      mean.hidden = flat; // the mean of one value
      this.#sort(this.#order);
    }
    this.#outline();
  }

  #sort(order) {
    this.#order = order;
    const { length } = this.#statistics.mean;
    this.#filters = Array.from({ length }, (_, filter) => filter);
    const by = this.#statistics[order];
    if (by) this.#filters.sort((a, b) => by[b] - by[a] || a - b);
    this.#cursor = this.#filters.indexOf(view.filter);
    this.#paint();
    this.#draw();
  }

  /** Paints the atlas, a pixel a cell. */
  #paint() {
    const { low, high } = this.#statistics;
    const all = scaleOf(Math.min(...low), Math.max(...high));
    // A map without a negative value still has the colours of those with one.
    const own = (filter) =>
      all.palette === "diverging"
        ? scaleOf(-Math.max(-low[filter], high[filter]) || -1, 0)
        : scaleOf(0, high[filter]);
    // A flat layer's units are a cell each, which says something only beside the others.
    const shared = view.shared || view.network.isFlat(view.layer);
    const count = this.#filters.length;
    this.columns = count <= 64 ? Math.min(8, count) : count <= 256 ? 16 : 40;
    paint(this.#atlas, view.network, {
      values: view.outputs.output(view.layer),
      shape: view.network.shapes[view.layer],
      filters: this.#filters,
      scales: this.#filters.map((filter) => (shared ? all : own(filter))),
      columns: this.columns,
    });
    this.bar.style.background = gradient(all.palette, view.network);
    const most = shared ? all.high.toPrecision(3) : "peak";
    this.ends[0].textContent = all.low < 0 ? `-${most}` : "0";
    this.ends[1].textContent = most;
    this.meaning.textContent = shared
      ? "One scale for all: the right end is the largest value of the layer."
      : "Each map has its own scale: the right end is that map's peak. Brightness does not compare " +
        "between maps.";
  }

  /** Draws the sheet as large as there is room for, each cell of a map as many whole pixels. */
  #draw() {
    if (!view.outputs || !this.cells.clientWidth) return;
    const ratio = devicePixelRatio;
    const [height, width] = view.network.shapes[view.layer];
    const { columns } = this;
    const rows = Math.ceil(this.#filters.length / columns);
    const gap = columns > 16 ? 1 : GAP;
    const room = Math.min(LARGEST, (this.cells.clientWidth - gap) / columns - gap);
    let zoom = (room * ratio) / Math.max(width, height);
    // Smaller cells than of two pixels may differ by one, for else they would be half as large.
    if (zoom >= 2) zoom = Math.floor(zoom);
    const side = { x: (zoom * width) / ratio, y: (zoom * height) / ratio };
    const caption = side.x >= SMALLEST_CAPTIONED || (width === 1 && columns <= 16) ? CAPTION : 0;
    const pitch = { x: side.x + gap, y: side.y + caption + gap };
    this.#grid = { side, caption, pitch, gap };
    const size = { x: columns * pitch.x + gap, y: rows * pitch.y + gap };
    this.canvas.width = Math.round(size.x * ratio);
    this.canvas.height = Math.round(size.y * ratio);
    this.canvas.style.width = `${size.x}px`;
    this.canvas.style.height = `${size.y}px`;
    const context = this.canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    const style = getComputedStyle(this.cells);
    context.fillStyle = style.color;
    context.font = `${10 * ratio}px ${style.fontFamily}`;
    context.textAlign = "center";
    this.#filters.forEach((filter, place) => {
      const [column, row] = [place % columns, Math.floor(place / columns)];
      const x = Math.round((gap + column * pitch.x) * ratio);
      const y = Math.round((gap + row * pitch.y + caption) * ratio);
      const [w, h] = [Math.round(side.x * ratio), Math.round(side.y * ratio)];
      const from = [column * width, row * height, width, height];
      context.drawImage(this.#atlas, ...from, x, y, w, h);
      if (caption) context.fillText(filter, x + w / 2, y - 3 * ratio);
    });
    this.#outline();
  }

  /** Moves the outlines and says what is under the pointer. */
  #outline() {
    if (!this.#grid) return;
    const { unit } = view;
    if (view.pointed) this.#cursor = this.#filters.indexOf(unit.filter);
    this.#frame(this.chosen, this.#filters.indexOf(view.filter));
    this.#frame(this.option, this.#cursor);
    const filter = this.#filters[this.#cursor];
    const place = { posinset: this.#cursor + 1, setsize: this.#filters.length };
    for (const [name, value] of Object.entries(place)) {
      this.option.setAttribute(`aria-${name}`, value);
    }
    this.option.setAttribute("aria-selected", String(filter === view.filter));
    const what = view.network.isFlat(view.layer) ? "value" : "peak";
    const peak = fixed(this.#statistics.high[filter]);
    const name = view.network.filterName(view.layer, filter);
    this.option.setAttribute("aria-label", `${name}, ${what} ${peak}`);
    this.readout.textContent = `${view.network.unitName(unit)}: ${fixed(view.outputs.value(unit))}`;
  }

  #frame(box, place) {
    const { side, caption, pitch, gap } = this.#grid;
    const x = gap + (place % this.columns) * pitch.x;
    const y = gap + Math.floor(place / this.columns) * pitch.y;
    box.style.transform = `translate(${x}px, ${y}px)`;
    box.style.width = `${side.x}px`;
    box.style.height = `${side.y + caption}px`;
  }

  /** The unit under the pointer; null between the maps. */
  #unitAt({ clientX, clientY }) {
    const { side, caption, pitch, gap } = this.#grid;
    const box = this.canvas.getBoundingClientRect();
    const x = clientX - box.left - gap;
    const y = clientY - box.top - gap;
    const [column, line] = [Math.floor(x / pitch.x), Math.floor(y / pitch.y)];
    const filter = this.#filters[line * this.columns + column];
    if (column < 0 || column >= this.columns || line < 0 || filter === undefined) return null;
    const [height, width] = view.network.shapes[view.layer];
    const row = Math.floor(((y - line * pitch.y - caption) / side.y) * height);
    const col = Math.floor(((x - column * pitch.x) / side.x) * width);
    if (row >= height || col >= width) return null;
    // On a map's number it is the map's first row.
    return { layer: view.layer, filter, row: Math.max(row, 0), col };
  }

  #key(event) {
    const last = this.#filters.length - 1;
    const steps = {
      ArrowRight: this.#cursor + 1,
      ArrowLeft: this.#cursor - 1,
      ArrowDown: this.#cursor + this.columns,
      ArrowUp: this.#cursor - this.columns,
      Home: 0,
      End: last,
    };
    if (event.key in steps) {
      const place = steps[event.key];
      if (place < 0 || place > last) return;
      this.#cursor = place;
      const filter = this.#filters[place];
      const { layer, pinned } = view;
      view.point(pinned ? { layer, filter, ...pinned } : view.outputs.peak(layer, filter));
      this.option.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" || event.key === " ") {
      view.pin(this.#filters[this.#cursor], view.pinned);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
