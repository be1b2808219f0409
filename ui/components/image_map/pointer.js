// A mouse, a pen and fingers on the map: they point, click, drag, zoom.

const SLIP = 4; // CSS pixels that a click may move

export class Pointer {
  #map;
  #pointers = new Map(); // those that are down: where they are
  #slipped = false; // whether they have moved since
  #pressed = null; // the image that the last of them went down on
  #hover = null; // the last event of a pointer that was not down

  /** Lets pointers on its canvas move an ImageMap. */
  constructor(map) {
    this.#map = map;
    const { canvas } = map;
    canvas.onpointerdown = (event) => this.#press(event);
    canvas.onpointermove = (event) => this.#move(event);
    canvas.onpointerup = (event) => this.#release(event);
    canvas.onpointercancel = ({ pointerId }) => this.#pointers.delete(pointerId);
    canvas.onpointerleave = ({ pointerType }) => {
      if (pointerType === "mouse") map.point(null);
    };
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Where an event is on the canvas, in CSS pixels. */
  #place({ clientX, clientY }) {
    const box = this.#map.canvas.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  #press(event) {
    if (event.button) return;
    this.#map.canvas.setPointerCapture(event.pointerId);
    this.#slipped = this.#pointers.size > 0; // two fingers do not click
    const now = this.#place(event);
    this.#pointers.set(event.pointerId, now);
    // Located once: a click may move a little, towards another image.
    this.#pressed = this.#map.nearest(now);
    if (event.pointerType === "mouse") this.#map.point(this.#pressed);
  }

  #move(event) {
    const now = this.#place(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      this.#hover = event;
      this.#map.point(this.#map.nearest(now));
      return;
    }
    const moved = [now[0] - before[0], now[1] - before[1]];
    if (!this.#slipped && Math.hypot(...moved) < SLIP) return;
    this.#slipped = true;
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    if (other) {
      const span = ([x, y]) => Math.max(Math.hypot(x - other[1][0], y - other[1][1]), 1);
      this.#map.zoomBy(span(now) / span(before), other[1]);
    } else this.#map.drag(...moved);
    this.#pointers.set(event.pointerId, now);
  }

  #release(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#slipped) {
      // Dragging may have put another image under the mouse.
      if (event.pointerType === "mouse") this.#map.point(this.#map.nearest(this.#place(event)));
      return;
    }
    // A finger cannot point first: its first tap shows the image, a second one picks it.
    if (this.#pressed === this.#map.pointed) this.#map.pick(this.#pressed);
    else this.#map.point(this.#pressed);
  }

  #wheel(event) {
    const factor = 2 ** (-event.deltaY * (event.deltaMode ? 0.06 : 0.002));
    // Where the whole map is in view, the wheel scrolls the page on.
    if (factor <= 1 && this.#map.showsAll) return;
    event.preventDefault();
    this.#map.zoomBy(factor, this.#place(event));
    // Not at the place of this event, which is in whole pixels.
    if (this.#hover) this.#map.point(this.#map.nearest(this.#place(this.#hover)));
  }
}
