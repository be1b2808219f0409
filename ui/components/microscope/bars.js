// What each map of the layer before brings to a sum, ranked.

import { element } from "../elements.js";
import { signed } from "./picture.js";

const SHOWN = 8;

/** One side of the list: the largest contributions of one sign, and the rest of them together. */
class Side {
  constructor(sign, title, choose) {
    this.sign = sign;
    this.total = element("b", { "data-part": sign > 0 ? "for" : "against" });
    this.rows = Array.from({ length: SHOWN }, () => {
      const row = { name: element("span"), bar: element("i"), number: element("b") };
      row.element = element("button", { type: "button" }, row.name, row.bar, row.number);
      row.element.onclick = () => choose(row.index);
      return row;
    });
    this.rest = element("p");
    this.element = element(
      "div",
      { className: sign > 0 ? "for" : "against" },
      element("p", {}, title, " ", this.total),
      ...this.rows.map((row) => row.element),
      this.rest,
    );
  }

  show(contributions, order, names, chosen, largest) {
    const total = (indices) => indices.reduce((sum, index) => sum + contributions[index], 0);
    this.total.textContent = signed(total(order));
    this.rows.forEach((row, rank) => {
      const index = (row.index = order[rank]);
      row.element.hidden = index === undefined;
      if (index === undefined) return;
      row.name.textContent = names(index);
      row.bar.style.setProperty("--share", Math.abs(contributions[index]) / largest);
      row.number.textContent = signed(contributions[index]);
      row.element.setAttribute("aria-pressed", String(index === chosen));
    });
    const rest = order.slice(SHOWN);
    this.rest.textContent = rest.length ? `${rest.length} others ${signed(total(rest))}` : "";
  }
}

export class Bars {
  constructor(choose) {
    this.sides = [new Side(1, "for it:", choose), new Side(-1, "against it:", choose)];
    this.element = element(
      "div",
      { className: "bars" },
      ...this.sides.map((side) => side.element),
    );
  }

  show(contributions, names, chosen) {
    const indices = Array.from(contributions.keys());
    const orders = this.sides.map(({ sign }) =>
      indices
        .filter((index) => sign * contributions[index] > 0)
        .sort((a, b) => sign * (contributions[b] - contributions[a])),
    );
    const largest = Math.max(...orders.map(([first]) => Math.abs(contributions[first] ?? 0)), 1e-9);
    this.sides.forEach((side, which) =>
      side.show(contributions, orders[which], names, chosen, largest),
    );
  }
}
