// The images themselves, all of them in one picture. It is loaded once per page load, by the first map
// that needs it.

import { FADED } from "./points.js";

export const SIDE = 28; // pixels of an image

class Thumbnails {
  #picture = null;
  #columns = 0; // images in a row of the picture
  onSettled = null; // is called when the picture has come, or cannot come

  /** Loads the picture, if nobody has yet; returns whether it is there. */
  load({ file, columns }) {
    if (!this.#picture) {
      this.#columns = columns;
      this.#picture = new Image();
      this.#picture.onload = this.#picture.onerror = () => this.onSettled?.();
      this.#picture.src = new URL(`app/static/${file}`, document.baseURI).href;
    }
    return this.#picture.complete && this.#picture.naturalWidth > 0;
  }

  /** Whether the picture cannot be had. */
  get failed() {
    return Boolean(this.#picture?.complete) && this.#picture.naturalWidth === 0;
  }

  /** Draws an image. */
  draw(context, image, left, top, side) {
    const [x, y] = [image % this.#columns, Math.floor(image / this.#columns)];
    context.drawImage(this.#picture, SIDE * x, SIDE * y, SIDE, SIDE, left, top, side, side);
  }

  /** Draws an image around a point, framed in the point's colour. */
  drawFramed(context, { image, x, y, colour, opacity }, zoom) {
    const side = SIDE * zoom;
    const frame = Math.round(2 * devicePixelRatio);
    const [left, top] = [x - side / 2, y - side / 2];
    context.globalAlpha = opacity === FADED ? FADED : 1;
    context.fillStyle = colour;
    context.fillRect(left - frame, top - frame, side + 2 * frame, side + 2 * frame);
    context.imageSmoothingEnabled = false;
    this.draw(context, image, left, top, side);
  }
}

export const thumbnails = new Thumbnails();
