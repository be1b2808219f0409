// From logits to probabilities, and what they were if one logit were another.

import { element } from "../elements.js";
import { softmax } from "./arithmetic.js";
import { fixed, signed } from "./picture.js";
import { view } from "./view.js";

const REACH = 10; // how far the slider moves a logit, up and down

export class SoftmaxTable {
  #found = null;
  #chosen = 0;

  constructor() {
    this.body = element("tbody");
    this.sum = element("b", { "data-part": "exponentials" });
    this.slider = element("input", { type: "range", min: -REACH, max: REACH, step: 0.1, value: 0 });
    this.slider.oninput = () => this.#imagine();
    this.label = element("label");
    this.element = element(
      "div",
      { className: "softmax" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            ...["class", "logit", "exp(logit − largest)", "probability", "what if"].map((title) =>
              element("th", { scope: "col" }, title),
            ),
          ),
        ),
        this.body,
      ),
      element("p", {}, "The exponentials add up to ", this.sum, "; each one's share is the probability."),
      this.label,
    );
  }

  /** Shows what `Outputs.explain` found; null hides the table. */
  show(found, chosen) {
    this.element.hidden = !found;
    if (!found) return;
    const another = chosen !== this.#chosen || found.logits.some((z, i) => z !== this.#found?.logits[i]);
    if (!another && this.#found) return;
    this.#found = found;
    this.#chosen = chosen;
    this.slider.value = 0;
    const { logits, exponentials, sum } = found;
    this.rows = Array.from(logits, (logit, index) => {
      const bar = element("i");
      const share = element("td", {}, fixed(exponentials[index] / sum));
      const changed = element("td", { className: "what-if" });
      const row = element(
        "tr",
        { className: index === chosen ? "chosen" : "" },
        element("th", { scope: "row" }, this.#name(index)),
        element("td", {}, fixed(logit)),
        element("td", {}, fixed(exponentials[index])),
        share,
        changed,
      );
      changed.append(bar, element("span"));
      return { row, bar, text: changed.lastChild };
    });
    this.body.replaceChildren(...this.rows.map(({ row }) => row));
    this.sum.textContent = fixed(sum);
    this.#imagine();
  }

  #name(index) {
    return view.network.header.classes[index] ?? `unit ${index}`;
  }

  #imagine() {
    const { logits } = this.#found;
    const move = Number(this.slider.value);
    const { exponentials, sum } = softmax(
      logits.map((logit, index) => (index === this.#chosen ? logit + move : logit)),
      this.#chosen,
    );
    this.rows.forEach(({ bar, text }, index) => {
      bar.style.setProperty("--share", exponentials[index] / sum);
      text.textContent = fixed(exponentials[index] / sum);
    });
    const logit = logits[this.#chosen] + move;
    this.label.replaceChildren(
      `What if the logit of ${this.#name(this.#chosen)} were ${fixed(logit, 2)} (${signed(move, 1)})? `,
      this.slider,
    );
  }
}
