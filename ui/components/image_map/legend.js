// The groups of points, each with a button that highlights it.

import { element } from "../elements.js";

export class Legend {
  element = element("div", { className: "legend", role: "group", "aria-label": "Highlight" });

  /** Names the groups; `onPick` gets the place of the one whose button is pressed. */
  setGroups(names, onPick) {
    this.element.replaceChildren(
      ...names.map((name, group) =>
        element("button", { type: "button", onclick: () => onPick(group) }, element("i"), name),
      ),
    );
  }

  /** Shows the groups' colours, and which of them is highlighted. */
  update(colours, highlight) {
    [...this.element.children].forEach((button, group) => {
      button.firstChild.style.background = colours[group];
      button.setAttribute("aria-pressed", String(group === highlight));
    });
  }
}
