// The chosen map in numbers: what they amount to, the kernel that made them, and each of them.

import { element } from "../elements.js";
import { Grid } from "./grid.js";
import { fixed, paint, signed } from "./picture.js";
import { view } from "./view.js";

const SLICES_A_ROW = 16;
const CELL = 6; // CSS pixels of a weight's side

/** A value in about three characters, as in ".31" or "1.4". */
function short(value) {
  if (value === 0) return "0";
  if (value < 0) return `−${short(-value)}`;
  return value < 0.995 ? value.toFixed(2).slice(1) : value.toFixed(1);
}

/** A heading with a detail in smaller print. */
class Title {
  element = element("h4");

  show(text, detail) {
    this.element.replaceChildren(`${text} `, element("small", {}, detail));
  }
}

/** The kernel of the chosen filter, or what a layer without kernels did instead. */
class Kernel {
  constructor() {
    this.title = new Title();
    this.grid = new Grid("");
    this.slices = element("canvas", { role: "img", "aria-label": "The kernel's slices" });
    this.note = element("p", { className: "note" });
    this.element = element(
      "div",
      {},
      this.title.element,
      this.grid.element,
      this.slices,
      this.note,
    );
  }

  show() {
    const { network, filter } = view;
    const layer = network.layers[view.layer];
    const isConvolution = layer.kind === "Conv2D";
    const [, , channels] = network.shapes[view.layer - 1];
    this.title.element.hidden = !isConvolution;
    this.grid.element.hidden = !isConvolution || channels > 1;
    this.slices.hidden = !isConvolution || channels === 1;
    if (!isConvolution) {
      this.note.textContent =
        `${layer.kind} has no kernel: map ${filter} is computed from map ${filter} of the layer ` +
        "before it.";
      return;
    }
    const [height, width] = [layer.rows.kernel, layer.cols.kernel];
    const bias = network.weights[`${layer.name}/bias`]?.[filter] ?? 0;
    this.title.show("Kernel", `${height}×${width}×${channels}, bias ${signed(bias, 3)}`);
    const values = network.weights[`${layer.name}/kernel`];
    const [, , filters] = network.shapes[view.layer];
    const weight = (cell, channel) => values[(cell * channels + channel) * filters + filter];
    let largest = 0;
    for (let cell = 0; cell < height * width; cell++) {
      for (let channel = 0; channel < channels; channel++) {
        largest = Math.max(largest, Math.abs(weight(cell, channel)));
      }
    }
    const scale = { low: -largest || -1, high: largest || 1, palette: "diverging" };
    if (channels === 1) {
      const cells = Array.from({ length: height * width }, (_, cell) => weight(cell, 0));
      const row = (y) => cells.slice(y * width, (y + 1) * width);
      this.grid.show(
        Array.from({ length: height }, (_, y) =>
          row(y).map((value) => ({ value, text: signed(value, 3) })),
        ),
        scale,
      );
      this.note.textContent = "Blue weights count against, red ones for; white is 0.";
      return;
    }
    const columns = Math.min(SLICES_A_ROW, channels);
    paint(this.slices, network, {
      values,
      shape: [height, width, channels * filters],
      filters: Array.from({ length: channels }, (_, channel) => channel * filters + filter),
      scales: Array(channels).fill(scale),
      columns,
      gap: 1,
    });
    this.slices.style.width = `${this.slices.width * CELL}px`;
    this.slices.setAttribute("aria-label", `The ${channels} slices of kernel ${filter}`);
    this.note.textContent =
      `One ${height}×${width} slice for each of the ${channels} maps of the layer before, ` +
      `${columns} in a row. Blue counts against, red for; the ends are ∓${scale.high.toPrecision(3)}.`;
  }
}

/** A map's values, with the numbers of rows and columns. */
class Table {
  #cells = [];
  #size = "";

  constructor() {
    this.table = element("table", { className: "values" });
    this.element = element("div", { className: "fit" }, this.table);
  }

  show() {
    const { filter } = view;
    const [height, width, count] = view.network.shapes[view.layer];
    if (this.#size !== `${height}×${width}`) this.#build(height, width);
    const values = view.outputs.output(view.layer);
    this.#cells.forEach((cell, at) => {
      const value = values[at * count + filter];
      cell.textContent = short(value);
      cell.className = value > 0 ? "positive" : "";
    });
  }

  #build(height, width) {
    this.#size = `${height}×${width}`;
    this.#cells = Array.from({ length: height * width }, () => element("td"));
    const heads = Array.from({ length: width }, (_, col) => element("th", { scope: "col" }, col));
    const rows = Array.from({ length: height }, (_, row) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, row),
        ...this.#cells.slice(row * width, (row + 1) * width),
      ),
    );
    this.table.style.setProperty("--cells", width + 1);
    this.table.replaceChildren(element("tr", {}, element("th"), ...heads), ...rows);
  }
}

export class Numbers {
  constructor(root) {
    this.title = new Title();
    const names = ["smallest", "mean", "largest (peak)", "cells above 0"];
    this.facts = names.map(() => element("b"));
    this.background = element("p", { className: "note" });
    this.kernel = new Kernel();
    this.tableTitle = new Title();
    this.table = new Table();
    this.root = root;
    root.replaceChildren(
      element(
        "div",
        { className: "row" },
        element(
          "div",
          {},
          this.title.element,
          element(
            "div",
            { className: "facts" },
            ...names.flatMap((name, index) => [element("span", {}, name), this.facts[index]]),
          ),
          this.background,
        ),
        this.kernel.element,
      ),
      this.tableTitle.element,
      this.table.element,
    );
    this.remove = view.subscribe((what) => what === "unit" || this.#update());
  }

  #update() {
    const { network, outputs, layer, filter } = view;
    this.root.hidden = network.isFlat(layer);
    if (this.root.hidden) return;
    const [height, width, count] = network.shapes[layer];
    const name = network.name(layer);
    this.title.show(`Map ${filter} of ${name}`, `${height}×${width}`);
    this.tableTitle.show(`Map ${filter} as numbers`, "cells above 0 are marked; .31 is 0.31");
    const { low, mean, high } = outputs.statistics(layer);
    const values = outputs.output(layer);
    let above = 0;
    for (let at = filter; at < values.length; at += count) above += values[at] > 0;
    const facts = [low, mean, high].map((each) => fixed(each[filter]));
    facts.push(`${((100 * above) / (height * width)).toFixed(1)}%`);
    facts.forEach((fact, index) => (this.facts[index].textContent = fact));
    this.background.textContent = this.#background();
    this.kernel.show();
    this.table.show();
  }

  /** What the flat part of a map is: the first convolution's answer to black pixels. */
  #background() {
    const { kind, activation, name } = view.network.layers[view.layer];
    if (view.layer > 0 || kind !== "Conv2D" || activation !== "relu") return "";
    const bias = view.network.weights[`${name}/bias`]?.[view.filter] ?? 0;
    const value = fixed(Math.max(bias, 0), 3);
    return `A black background pixel is 0, so there the map shows ReLU(bias) = ${value}.`;
  }
}
