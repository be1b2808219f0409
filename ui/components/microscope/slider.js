// The slider for the filter.

import { element } from "../elements.js";

export class FilterSlider {
  constructor(choose) {
    // Else its name would have the number, too.
    this.input = element("input", { type: "range", min: 0, step: 1, "aria-label": "Filter" });
    this.input.oninput = () => choose(Number(this.input.value));
    this.number = element("output");
    this.element = element("label", { className: "filter" }, "Filter", this.input, this.number);
  }

  /** Shows which of `count` filters is chosen, and what that is called. */
  show(filter, count, name) {
    this.element.hidden = count === 1;
    this.input.max = count - 1;
    this.input.value = this.number.textContent = filter;
    this.input.setAttribute("aria-valuetext", name);
  }
}
