// Which part of the map the canvas shows. Places on the map are as the packet has them, places on the
// canvas are in CSS pixels.

export const MARGIN = 26; // CSS pixels around the points when the whole map is in view
const MAX_ZOOM = 80;

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

export class Viewport {
  zoom = 1; // 1 is the whole map
  #stage;
  #extent = [1, 1]; // width and height of the map
  #centre = [0, 0]; // the place of the map in the middle of the canvas

  /** `stage` is the element that has the canvas's size. */
  constructor(stage) {
    this.#stage = stage;
  }

  /** Width and height of the canvas. */
  get size() {
    return [this.#stage.clientWidth, this.#stage.clientHeight];
  }

  /** CSS pixels per unit of the map. */
  get scale() {
    const [width, height] = this.size;
    const [wide, tall] = this.#extent;
    const fit = Math.min((width - 2 * MARGIN) / (wide || 1), (height - 2 * MARGIN) / (tall || 1));
    return this.zoom * fit;
  }

  /** Where a place of the map is on the canvas; y rises upwards on the map only. */
  onCanvas(x, y, scale = this.scale) {
    const [width, height] = this.size;
    const [left, middle] = this.#centre;
    return [width / 2 + (x - left) * scale, height / 2 - (y - middle) * scale];
  }

  /** Shows the whole map. */
  reset(extent = this.#extent) {
    this.#extent = extent;
    this.zoom = 1;
    this.#centre = extent.map((side) => side / 2);
  }

  /** Zooms so that the place of the map at [x, y] on the canvas stays there. */
  zoomBy(factor, at = this.size.map((side) => side / 2)) {
    const before = this.scale;
    this.zoom = clamp(this.zoom * factor, 1, MAX_ZOOM);
    const gain = 1 / before - 1 / this.scale;
    const [width, height] = this.size;
    this.pan((at[0] - width / 2) * gain, (height / 2 - at[1]) * gain);
  }

  /** Moves the view by a distance on the map, but not off the map. */
  pan(x, y) {
    const scale = this.scale;
    this.#centre = this.#centre.map((place, i) => {
      const side = this.#extent[i];
      const seen = (this.size[i] / 2 - MARGIN) / scale;
      return 2 * seen >= side ? side / 2 : clamp(place + [x, y][i], seen, side - seen);
    });
  }

  /** Brings a place of the map into view; returns whether that moved the view. */
  show(x, y) {
    const [left, top] = this.onCanvas(x, y);
    const [width, height] = this.size;
    if (left > MARGIN && left < width - MARGIN && top > MARGIN && top < height - MARGIN) {
      return false;
    }
    this.pan(x - this.#centre[0], y - this.#centre[1]);
    return true;
  }
}
