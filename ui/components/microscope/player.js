// Walks over the cells of a map, one after the other.

import { element } from "../elements.js";

const SPEEDS = [2, 10, 40, 160]; // cells a second

export class Player {
  #frame = 0;
  #reached = 0; // cells, with a fraction
  cells = 0;
  /** Whether the map is shown only as far as the kernel has come. */
  active = false;
  playing = false;

  constructor(walk) {
    this.walk = walk;
    this.play = element("button", { type: "button" });
    this.play.onclick = () => this.toggle();
    this.step = element("button", { type: "button" }, "Step");
    this.step.onclick = () => this.#stepOn();
    this.end = element("button", { type: "button" }, "Whole map");
    this.end.onclick = () => this.finish(true);
    this.speed = element(
      "select",
      {},
      ...SPEEDS.map((speed) => element("option", { value: speed }, `${speed} cells/s`)),
    );
    this.speed.value = 40;
    this.element = element(
      "div",
      { className: "player" },
      this.play,
      this.step,
      this.end,
      element("label", {}, "speed ", this.speed),
    );
    this.#label();
  }

  get cell() {
    return Math.min(Math.floor(this.#reached), this.cells - 1);
  }

  set cell(cell) {
    this.#reached = cell;
  }

  /** Offers to walk over maps of a shape; false for none. */
  show(shape) {
    this.cells = shape ? shape[0] * shape[1] : 0;
    this.element.hidden = this.cells < 2;
  }

  toggle() {
    if (this.playing) {
      this.stop();
      return;
    }
    if (!this.active || this.cell === this.cells - 1) this.#reached = 0;
    this.active = this.playing = true;
    this.#label();
    this.walk(this.cell);
    let last = performance.now();
    const move = (now) => {
      // The first frame may have begun before the key was pressed.
      this.#reached += (Math.max(now - last, 0) / 1000) * Number(this.speed.value);
      last = now;
      this.walk(this.cell);
      if (this.cell === this.cells - 1) this.finish(true);
      else this.#frame = requestAnimationFrame(move);
    };
    this.#frame = requestAnimationFrame(move);
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.playing = false;
    this.#label();
  }

  /** Shows the whole map again. */
  finish(walk = false) {
    const { active } = this;
    this.stop();
    this.active = false;
    this.#label();
    if (walk && active) this.walk(this.cell);
  }

  #stepOn() {
    this.stop();
    if (!this.active) {
      this.active = true;
      this.#reached = 0;
    } else if (this.cell < this.cells - 1) this.#reached = this.cell + 1;
    this.#label();
    this.walk(this.cell);
  }

  #label() {
    this.play.textContent = this.playing ? "Pause" : "Play";
    this.end.disabled = !this.active;
  }
}
