// Numbers on their colours.

import { element } from "../elements.js";
import { inkOn } from "./picture.js";
import { view } from "./view.js";

/** A table of a patch, a kernel, or what they make. */
export class Grid {
  #cells = [];
  #size = "";

  constructor(name) {
    this.caption = element("caption", {}, name);
    this.body = element("tbody");
    this.element = element("table", { className: "grid" }, this.caption, this.body);
  }

  /** Shows rows of {value, text, padding, marked}. */
  show(rows, scale) {
    const size = [rows.length, rows[0].length].join();
    if (size !== this.#size) {
      this.#size = size;
      this.#cells = rows.map((row) => row.map(() => element("td")));
      this.body.replaceChildren(...this.#cells.map((row) => element("tr", {}, ...row)));
      this.element.classList.toggle("small", rows[0].length > 3);
    }
    rows.forEach((row, y) =>
      row.forEach(({ value, text, padding, marked }, x) => {
        const cell = this.#cells[y][x];
        cell.textContent = text;
        cell.className = padding ? "padding" : marked ? "marked" : "";
        cell.title = padding ? "padding, which counts as 0" : "";
        Object.assign(cell.style, inkOn(value, scale, view.network));
      }),
    );
  }
}
