// The microscope: where the value of one unit came from, down to the pixels, as arithmetic.

import { element } from "../elements.js";
import { Bars } from "./bars.js";
import { Grid } from "./grid.js";
import { describeScale, fixed, paint, scaleOf, signed } from "./picture.js";
import { Player } from "./player.js";
import { followPointer } from "./pointer.js";
import { FilterSlider } from "./slider.js";
import { SoftmaxTable } from "./softmax_table.js";
import { view } from "./view.js";

const MOST_GRID_CELLS = 49;
const QUIET = 150; // ms without a move of the pointer before the live region speaks
const PIXELS = { low: 0, high: 1, palette: "grey" };
const FUNCTIONS = { relu: "ReLU", sigmoid: "sigmoid", tanh: "tanh", linear: "no activation" };

const between = (first, count) => (count === 1 ? `${first}` : `${first}–${first + count - 1}`);
const place = ({ row, col }) => `row ${row}, column ${col}`;
const asRectangle = ({ row, col }) => ({ top: row, left: col, height: 1, width: 1 });

/** A map as a picture, with rectangles outlined on it. */
class MapPicture {
  #painted = "";
  #marks = new Map();

  constructor() {
    this.canvas = element("canvas");
    this.frame = element("div", { className: "frame" }, this.canvas);
    this.caption = element("figcaption");
    this.element = element("figure", {}, this.frame, this.caption);
  }

  /** Paints map `filter` of a layer, if it is not there already. */
  show(layer, filter, scale, known = Infinity) {
    const { network, outputs } = view;
    const shape = (this.shape = network.shapes[layer]);
    const painted = [layer, filter, known, Object.values(scale)].join();
    if (painted === this.#painted && outputs === this.outputs) return;
    this.#painted = painted;
    this.outputs = outputs;
    const values = outputs.output(layer);
    paint(this.canvas, network, { values, shape, filters: [filter], scales: [scale], known });
    this.frame.style.aspectRatio = `${shape[1]} / ${shape[0]}`;
  }

  /** Outlines a rectangle of cells; without one the outline goes. */
  mark(kind, rectangle) {
    if (!this.#marks.has(kind)) {
      const mark = element("i", { className: `mark ${kind}` });
      this.frame.append(mark);
      this.#marks.set(kind, mark);
    }
    const { style } = this.#marks.get(kind);
    style.display = rectangle ? "" : "none";
    if (!rectangle) return;
    const [height, width] = this.shape;
    style.left = `${(100 * rectangle.left) / width}%`;
    style.top = `${(100 * rectangle.top) / height}%`;
    style.width = `${(100 * rectangle.width) / width}%`;
    style.height = `${(100 * rectangle.height) / height}%`;
  }

  say(caption, alt) {
    this.caption.textContent = caption;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", alt);
  }
}

export class Microscope {
  #speaking = 0;

  constructor(root) {
    this.slider = new FilterSlider((filter) => view.chooseFilter(filter));
    this.title = element("p", { className: "microscope-title" });
    this.pin = element("button", { type: "button", className: "pin" });
    this.pictures = { input: new MapPicture(), before: new MapPicture(), map: new MapPicture() };
    this.row = element(
      "div",
      { className: "pictures" },
      ...Object.values(this.pictures).map((picture) => picture.element),
    );
    this.grids = { patch: new Grid("patch"), kernel: new Grid("kernel"), product: new Grid("") };
    this.channelTitle = element("p", { className: "subtitle" });
    this.words = element("p", { className: "words" });
    this.products = element(
      "div",
      { className: "products" },
      this.grids.patch.element,
      element("b", { "aria-hidden": "true" }, "×"),
      this.grids.kernel.element,
      element("b", { "aria-hidden": "true" }, "="),
      this.grids.product.element,
    );
    this.window = new Grid("window");
    this.bars = new Bars((channel) => view.chooseChannel(channel));
    this.equation = element("p", { className: "equation" });
    this.softmax = new SoftmaxTable();
    this.player = new Player((cell) => this.#walk(cell));
    this.live = element("p", { className: "live", "aria-live": "polite" });
    root.replaceChildren(
      this.slider.element,
      element("header", {}, this.title, this.pin),
      this.row,
      this.player.element,
      this.equation,
      this.words,
      this.channelTitle,
      this.products,
      this.window.element,
      this.bars.element,
      this.softmax.element,
      this.live,
    );
    this.#listen();
    const stop = view.subscribe((what) => this.#update(what));
    this.remove = () => {
      stop();
      this.player.stop();
      clearTimeout(this.#speaking);
    };
  }

  #listen() {
    const { frame } = this.pictures.map;
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    followPointer(frame, (event) => this.#unitAt(event), () => !this.player.playing);
    frame.onkeydown = (event) => this.#key(event);
    this.pin.onclick = () => {
      if (view.pinned) view.pin(view.filter, null);
      else this.#pick(view.unit);
    };
  }

  #update(what) {
    if (what !== "unit") {
      this.player.finish();
      const [, , count] = view.network.shapes[view.layer];
      const name = view.network.filterName(view.layer, view.filter);
      this.slider.show(view.filter, count, name);
    }
    view.walking = this.player.active;
    const { network, outputs, unit } = view;
    const layer = network.layers[unit.layer];
    const found = outputs.explain(unit);
    const channel = this.#channel(found, unit);
    this.#head(unit);
    this.#showPictures(unit, found, channel);
    this.#showSum(unit, layer, found, channel);
    this.#showWindow(found, layer);
    this.softmax.show(found.kind === "softmax" ? found : null, unit.filter);
    this.words.textContent = this.#explanation(unit, layer, found);
    this.#say(describe(unit, layer, found));
  }

  /** Which map of the layer before is looked at. */
  #channel(found, unit) {
    const { contributions } = found;
    if (!contributions) return unit.filter;
    if (view.channel !== null && view.channel < contributions.length) return view.channel;
    let most = 0;
    contributions.forEach((one, index) => {
      if (Math.abs(one) > Math.abs(contributions[most])) most = index;
    });
    return most;
  }

  #head(unit) {
    this.title.textContent = `${view.network.name(unit.layer)}, ${view.network.unitName(unit)}`;
    this.pin.hidden = view.network.isFlat(unit.layer);
    this.pin.textContent = view.pinned ? "Unpin" : "Pin";
  }

  #showPictures(unit, found, channel) {
    const { network, outputs } = view;
    const { input, before, map } = this.pictures;
    const winner = found.winner && { ...unit, layer: unit.layer - 1, ...found.winner };
    const field = network.receptiveField(unit);
    input.show(-1, 0, PIXELS);
    input.mark("field", field);
    input.mark("winner", winner && unit.layer > 0 ? network.receptiveField(winner) : null);
    input.say(
      `input: it sees rows ${between(field.top, field.height)}, ` +
        `columns ${between(field.left, field.width)}`,
      "The image, with the unit's receptive field outlined",
    );

    // An entry of a flat layer is shown where it was before it was flattened.
    const source = network.origin({ layer: unit.layer - 1, filter: channel, row: 0, col: 0 });
    const unflattened = network.isFlat(unit.layer - 1);
    const shown = found.kind === "copy" ? found.source : source;
    before.element.hidden = shown.layer < 0 || network.isFlat(shown.layer);
    if (!before.element.hidden) {
      const scale = this.#scale(shown.layer, shown.filter);
      before.show(shown.layer, shown.filter, scale);
      const cell = unflattened || found.kind === "copy";
      before.mark("field", cell ? asRectangle(shown) : outputs.window(unit));
      before.mark("winner", winner ? asRectangle(winner) : null);
      before.say(
        `map ${shown.filter} of ${network.name(shown.layer)}: ${describeScale(scale)}`,
        `Map ${shown.filter} of ${network.name(shown.layer)}, with what the unit reads outlined`,
      );
    }

    const flat = network.isFlat(unit.layer);
    map.element.hidden = flat;
    this.row.classList.toggle("flat", flat);
    this.player.show(!flat && network.shapes[unit.layer]);
    if (flat) return;
    const known = this.player.active ? this.player.cell + 1 : undefined;
    const scale = this.#scale(unit.layer, unit.filter);
    map.show(unit.layer, unit.filter, scale, known);
    map.mark("field", asRectangle(unit));
    map.say(`map ${unit.filter}: ${describeScale(scale)}`, `Map ${unit.filter}, with the unit outlined`);
    map.frame.setAttribute(
      "aria-label",
      `Map ${unit.filter} of ${network.name(unit.layer)}. Arrow keys move the unit, Enter pins ` +
        "it, the space bar lets the kernel walk.",
    );
  }

  #showSum(unit, layer, found, channel) {
    const { contributions, bias, pre } = found;
    for (const part of [this.equation, this.channelTitle, this.products, this.bars.element]) {
      part.hidden = !contributions;
    }
    if (!contributions) return;
    const total = pre - bias;
    const result =
      found.kind === "softmax"
        ? [" is the logit"]
        : [` → ${FUNCTIONS[layer.activation]} → `, part("value", fixed(found.value))];
    this.equation.replaceChildren(
      contributions.length > 1 ? `sum over ${contributions.length} inputs ` : "sum of the products ",
      part("sum", fixed(total)),
      " + bias ",
      part("bias", fixed(bias)),
      " = ",
      part("pre", fixed(pre)),
      ...result,
    );
    const names = (index) => this.#sourceName(unit.layer, index);
    const rows = view.outputs.products(unit, channel);
    this.channelTitle.textContent =
      (contributions.length > 1 ? `${names(channel)} brings ` : "The products add up to ") +
      signed(contributions[channel]);
    const digits = rows[0].length > 3 ? 2 : 3;
    const inputs = rows.map((row) =>
      row.map(({ input }) => ({
        value: input ?? 0,
        text: input === undefined ? "0" : fixed(input, digits),
        padding: input === undefined,
      })),
    );
    this.grids.patch.show(inputs, this.#scale(unit.layer - 1, channel));
    for (const name of ["weight", "product"]) {
      const values = rows.map((row) =>
        row.map((cell) => ({ value: cell[name], text: signed(cell[name], digits) })),
      );
      const largest = Math.max(...values.flat().map(({ value }) => Math.abs(value))) || 1;
      const grid = name === "weight" ? this.grids.kernel : this.grids.product;
      grid.show(values, { low: -largest, high: largest, palette: "diverging" });
    }
    const single = rows.flat().length === 1;
    this.grids.patch.caption.textContent = single ? "input" : "patch";
    this.grids.kernel.caption.textContent = single ? "weight" : "kernel";
    this.grids.product.caption.textContent = single ? "product" : "products";
    this.bars.element.hidden = contributions.length === 1;
    if (contributions.length > 1) this.bars.show(contributions, names, channel);
  }

  #showWindow(found, layer) {
    const { cells } = found;
    this.window.element.hidden = !cells || cells.length > MOST_GRID_CELLS;
    if (this.window.element.hidden) return;
    const rows = Map.groupBy(cells, ({ row }) => row);
    const scale = this.#scale(view.unit.layer - 1, view.unit.filter);
    const digits = layer.cols.kernel > 3 ? 2 : 4;
    this.window.show(
      [...rows.values()].map((row) =>
        row.map((cell) => ({
          value: cell.value,
          text: fixed(cell.value, digits),
          marked: cell === found.winner,
        })),
      ),
      scale,
    );
  }

  #explanation(unit, layer, found) {
    const { network } = view;
    const before = network.name(unit.layer - 1);
    const value = fixed(found.value);
    switch (found.kind) {
      case "largest":
        return (
          `The largest of the ${found.cells.length} cells is ${value}, ` +
          `in ${place(found.winner)} of ${before}. ` +
          (unit.layer > 0 ? "The dashed outline on the input is what the winner sees." : "")
        );
      case "mean":
        return `The mean of the ${found.cells.length} cells of ${before} is ${value}.`;
      case "copy": {
        const { source } = found;
        const where = network.isFlat(source.layer)
          ? `unit ${source.filter}`
          : `map ${source.filter}, ${place(source)}`;
        return `${value}, a copy of ${where} of ${network.name(source.layer)}.`;
      }
      case "value":
        return (
          `${fixed(view.outputs.value(found.source))} becomes ${value}. ` +
          `Value only: the arithmetic of ${layer.kind} is not shown.`
        );
      default:
        return this.#reason(unit, layer, found);
    }
  }

  /** What a student asks most about a unit that is a sum: why is it dark, and why is it not? */
  #reason(unit, layer, found) {
    if (found.kind === "softmax" || layer.activation !== "relu") return "";
    const { contributions, bias, pre } = found;
    const total = pre - bias;
    if (contributions.every((one) => one === 0)) {
      return (
        "All it sees is 0, so only the bias is left: " +
        (bias > 0 ? "that is why this flat part is not 0." : "ReLU makes that 0, dark.")
      );
    }
    if (pre <= 0 && total > 0) {
      return (
        `What it sees matches the kernel (${signed(total)}), but the bias takes more away ` +
        `(${signed(bias)}): below 0, which ReLU makes 0, dark.`
      );
    }
    if (pre <= 0) return "What it sees counts against it: below 0, which ReLU makes 0, dark.";
    if (contributions.length === 1) return "";
    const most = contributions.indexOf(Math.max(...contributions));
    const name = this.#sourceName(unit.layer, most);
    return `It fires above all because of ${name} (${signed(contributions[most])}).`;
  }

  #scale(layer, filter) {
    if (layer < 0) return PIXELS;
    const { low, high } = view.outputs.statistics(layer);
    return scaleOf(low[filter], high[filter]);
  }

  /** What one of the summands comes from. */
  #sourceName(layer, index) {
    const { network } = view;
    const source = network.origin({ layer: layer - 1, filter: index, row: 0, col: 0 });
    if (network.isFlat(source.layer)) return `unit ${source.filter}`;
    const flattened = network.isFlat(layer - 1);
    return flattened ? `map ${source.filter}, ${place(source)}` : `map ${source.filter}`;
  }

  #unitAt({ clientX, clientY }) {
    const box = this.pictures.map.canvas.getBoundingClientRect();
    const [height, width] = view.network.shapes[view.layer];
    const row = Math.floor(((clientY - box.top) / box.height) * height);
    const col = Math.floor(((clientX - box.left) / box.width) * width);
    const clamp = (index, size) => Math.max(0, Math.min(size - 1, index));
    return { ...view.unit, row: clamp(row, height), col: clamp(col, width) };
  }

  #pick({ filter, row, col }) {
    view.pin(filter, { row, col });
  }

  /** Shows the unit that the kernel has come to. */
  #walk(cell) {
    const { layer, filter } = view;
    const [, width] = view.network.shapes[layer];
    const unit = { layer, filter, row: Math.floor(cell / width), col: cell % width };
    if (!view.point(unit)) this.#update("unit");
  }

  #key(event) {
    const [height, width] = view.network.shapes[view.layer];
    const { unit } = view;
    const moves = {
      ArrowRight: { col: Math.min(unit.col + 1, width - 1) },
      ArrowLeft: { col: Math.max(unit.col - 1, 0) },
      ArrowDown: { row: Math.min(unit.row + 1, height - 1) },
      ArrowUp: { row: Math.max(unit.row - 1, 0) },
      Home: { row: 0, col: 0 },
      End: { row: height - 1, col: width - 1 },
    };
    if (event.key in moves) {
      const moved = { ...unit, ...moves[event.key] };
      this.player.cell = moved.row * width + moved.col;
      view.point(moved);
    } else if (event.key === "Enter") this.#pick(unit);
    else if (event.key === " ") this.player.toggle();
    else if (event.key === "Escape") this.player.finish(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Says a sentence when the pointer rests: a screen reader cannot follow every move. */
  #say(sentence) {
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => (this.live.textContent = sentence), QUIET);
  }
}

const part = (name, text) => element("b", { "data-part": name }, text);

/** The unit in one line. */
function describe(unit, layer, found) {
  const { network } = view;
  const name = network.name(unit.layer);
  const where = network.unitName(unit);
  const value = fixed(found.value);
  const sentences = {
    sum: () => `before ${FUNCTIONS[layer.activation]} ${fixed(found.pre)}, value ${value}`,
    softmax: () => `logit ${fixed(found.logits[unit.filter])}, probability ${value}`,
    largest: () => `value ${value}, from ${place(found.winner)} of ${network.name(unit.layer - 1)}`,
    copy: () =>
      `value ${value}, from ` +
      (network.isFlat(found.source.layer)
        ? `unit ${found.source.filter}`
        : `map ${found.source.filter}, ${place(found.source)}`) +
      ` of ${network.name(found.source.layer)}`,
  };
  return `${name}, ${where}: ${sentences[found.kind]?.() ?? `value ${value}`}`;
}
