// What one filter makes of the images of two classes: its map in each layer, and its mean responses.

import { element } from "../elements.js";
import { Choice } from "../choice.js";
import { FilterSlider } from "./slider.js";

/** A value with three significant digits, as the pages have it. */
const short = (value) => String(Number(value.toPrecision(3))).replace("-", "−");

const KINDS = ["first", "second"]; // of the two classes, for their colours

const subscribers = new Set();
let count = 0;

export const choice = new Choice(
  { filter: 0 },
  () => ({ filter: count }),
  () => notify(),
);

function notify() {
  for (const update of subscribers) update();
}

function subscribe(update) {
  subscribers.add(update);
  return () => subscribers.delete(update);
}

/** The slider for the filter of a page that has no microscope. */
export class FilterChoice {
  constructor(root) {
    this.slider = new FilterSlider((filter) => choice.set({ filter }));
    root.replaceChildren(this.slider.element);
    const update = () => {
      const { filter } = choice.values;
      this.slider.show(filter, count, `filter ${filter}`);
    };
    this.remove = subscribe(update);
  }

  look(asked) {
    const others = asked.count !== count;
    ({ count } = asked);
    choice.applyServerState(asked.choice, asked.tells, others);
    notify();
  }
}

/** The figure. Its data has the maps of all filters, and what each one's mean responses are. */
export class Pair {
  constructor(root) {
    this.title = element("h4");
    this.table = element("table", { className: "grid-figure" });
    // What may be wider than the page is in a box of its own that the keyboard can scroll, too.
    const scroll = element(
      "div",
      {
        className: "scroll",
        tabIndex: 0,
        role: "group",
        "aria-label": "The images in rows, what the filter makes of them in columns",
      },
      this.title,
      this.table,
    );
    this.responses = element("div");
    this.note = element("p", { className: "note" });
    const words = element("div", {}, this.responses, this.note);
    root.replaceChildren(element("div", { className: "row" }, scroll, words));
    this.remove = subscribe(() => this.#update());
  }

  look(data) {
    this.data = data;
    this.note.textContent = data.words;
    this.columns = data.columns.map((column) => new Column(column, data.rows));
    this.responses.replaceChildren();
    if (data.responses.length) this.#buildResponses();
    this.#update();
  }

  #update() {
    if (!this.data) return;
    const { filter } = choice.values;
    const detail = "activation; one colour scale a column, so rows compare";
    this.title.replaceChildren(`Filter ${filter} `, element("small", {}, detail));
    // A layer with fewer filters has no such column.
    const columns = this.columns.filter((column) => filter < column.count || !column.ends);
    for (const column of columns) column.show(filter);
    const rows = this.data.rows.map((row, at) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, row),
        ...columns.map(({ cells }) => element("td", {}, cells[at])),
      ),
    );
    this.table.replaceChildren(
      element("tr", {}, element("td"), ...columns.map(({ head }) => head)),
      ...rows,
      element("tr", {}, element("td"), ...columns.map(({ bar }) => element("td", {}, bar))),
    );
    this.#showResponses(filter);
  }

  #buildResponses() {
    const { names } = this.data;
    const detail = "activation; longer is stronger";
    const key = (name, index) => [
      element("span", { className: `key ${KINDS[index]}` }),
      ` ${name} `,
    ];
    this.bars = element("div", { className: "mean-responses", role: "group" });
    this.responses.replaceChildren(
      element("h4", {}, "Mean response over the whole test split ", element("small", {}, detail)),
      element("p", { className: "note" }, ...names.flatMap(key)),
      this.bars,
    );
  }

  #showResponses(filter) {
    const rows = this.data.responses.filter(({ means }) => filter < means[0].length);
    if (!rows.length) return;
    const values = rows.flatMap(({ means }) => means.map((each) => each[filter]));
    const longest = Math.max(...values) || 1;
    this.bars.setAttribute(
      "aria-label",
      `Bars of two values for each of ${rows.map(({ layer }) => layer).join(", ")}`,
    );
    this.bars.replaceChildren(
      ...rows.flatMap(({ layer, means }) =>
        means.flatMap((each, index) => {
          const bar = element("i", { className: KINDS[index] });
          bar.style.width = `${(100 * Math.max(each[filter], 0)) / longest}%`;
          return [
            element("span", {}, index ? "" : layer),
            element("span", {}, bar),
            element("b", {}, short(each[filter])),
          ];
        }),
      ),
    );
  }
}

/** The pictures of one layer, or of the images themselves: a row an image, a column a filter. */
class Column {
  constructor({ title, src, count: filters, aspect, ends, colours }, rows) {
    this.count = filters;
    this.ends = ends;
    this.head = element("th", { scope: "col" }, title);
    this.cells = rows.map((row, at) => {
      const name = `${row}: ${title}`;
      const cell = element("i", { className: "cell", role: "img", "aria-label": name });
      cell.style.backgroundImage = `url(${src})`;
      cell.style.backgroundSize = `${100 * filters}% ${100 * rows.length}%`;
      cell.style.backgroundPosition = `0% ${share(at, rows.length)}`;
      cell.style.aspectRatio = aspect;
      return cell;
    });
    this.bar = element("div", { className: "colour-bar" });
    if (!ends) return;
    const gradient = element("span");
    gradient.style.background = `linear-gradient(90deg, ${colours})`;
    this.low = element("b");
    this.high = element("b");
    this.bar.append(this.low, gradient, this.high);
  }

  show(filter) {
    if (!this.ends) return; // the images themselves, whatever the filter
    for (const cell of this.cells) {
      cell.style.backgroundPositionX = share(filter, this.count);
    }
    const [low, high] = this.ends[filter];
    this.low.textContent = short(low);
    this.high.textContent = short(high);
  }
}

/** Where in a picture of `size` cells a side cell `at` begins, as CSS counts it. */
const share = (at, size) => `${(100 * at) / Math.max(size - 1, 1)}%`;
