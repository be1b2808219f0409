// What lies over the canvas: the classes' names, the axes, the rings around two images, and a card
// that shows the pointed one.

import { element } from "../elements.js";
import { SIDE, thumbnails } from "./thumbnails.js";
import { clamp } from "./viewport.js";

const LINE = 15; // CSS pixels from one class's name to another below it

export class Overlays {
  constructor() {
    this.names = element("div", { className: "names", "aria-hidden": "true" });
    this.rings = ["chosen", "pointed"].map((what) => element("div", { className: `ring ${what}` }));
    this.preview = element("canvas", { width: SIDE, height: SIDE });
    this.title = element("b");
    this.words = element("span");
    this.card = element("div", { className: "card", "aria-hidden": "true" });
    this.card.append(this.preview, this.title, this.words);
    this.axes = [element("span", { className: "axis" }), element("span", { className: "axis up" })];
    this.problem = element("p", { className: "problem", role: "status" });
    this.elements = [this.names, ...this.axes, ...this.rings, this.card, this.problem];
  }

  /** Names the classes and the axes of a map. */
  setMap({ axes, classes }) {
    this.names.replaceChildren(...classes.map((name) => element("span", {}, name)));
    this.axes.forEach((axis, i) => (axis.textContent = axes[i] ? `${axes[i]} →` : ""));
  }

  /** Shows on the card what is known of an image; returns that as a sentence. */
  describe(image, { classes, labels, predictions, confidence }) {
    const percent = (confidence[image] / 10).toFixed(1);
    this.title.textContent = `image ${image}, ${classes[labels[image]]}`;
    this.words.textContent = `predicted ${classes[predictions[image]]} with ${percent} %`;
    this.card.classList.toggle("wrong", labels[image] !== predictions[image]);
    return `${this.title.textContent}, ${this.words.textContent}`;
  }

  /** Says why there are points alone, if the picture of all images cannot be had. */
  reportProblem(file) {
    this.problem.textContent = thumbnails.failed
      ? `Points alone: static/${file}, the picture of all images, is missing ` +
        "or damaged. Reload the page; if that does not help, restore the file from the repository."
      : "";
  }

  /** Puts each class's name at its place, or below a name that is there already. */
  placeNames(places, isFaded) {
    const labels = [...this.names.children].map((name, label) => {
      const [x, y] = places[label];
      return { name, label, x, y, width: name.offsetWidth };
    });
    labels.sort((first, second) => first.y - second.y);
    labels.forEach((lower, position) => {
      for (const upper of labels.slice(0, position)) {
        const isBeside = Math.abs(lower.x - upper.x) > (lower.width + upper.width) / 2;
        if (!isBeside && Math.abs(lower.y - upper.y) < LINE) lower.y = upper.y + LINE;
      }
      const { name, label, x, y } = lower;
      name.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(-50%, -50%)`;
      name.classList.toggle("faded", isFaded(label));
    });
  }

  /** Rings the chosen and the pointed image: each null, or its `place` and `colour`. */
  placeRings(images) {
    this.rings.forEach((ring, i) => {
      ring.hidden = images[i] === null;
      if (ring.hidden) return;
      const [x, y] = images[i].place;
      ring.style.transform = `translate(${x}px, ${y}px)`;
      ring.style.setProperty("--colour", images[i].colour); // its point may lie under others
    });
  }

  /** Shows the card `gap` pixels beside a point of a canvas of that size, with the image. */
  placeCard([x, y], [width, height], gap, image, hasPicture) {
    const { offsetWidth, offsetHeight } = this.card;
    const left = x + gap + offsetWidth < width ? x + gap : x - gap - offsetWidth;
    const top = clamp(y - offsetHeight / 2, 4, height - offsetHeight - 4);
    this.card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    const context = this.preview.getContext("2d");
    context.clearRect(0, 0, SIDE, SIDE);
    if (hasPicture) thumbnails.draw(context, image, 0, 0, SIDE);
  }
}
