// Points on a canvas, painted pixel by pixel: without a graphics card that is several times as fast as
// drawing 10,000 of them with the canvas's own functions.

import { clamp } from "./viewport.js";

export const [SOLID, FADED] = [0.9, 0.13]; // how opaque a point is

/** The red, green and blue of "#rrggbb". */
const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** A colour as ImageData has it in memory, opaque. */
const packed = ([red, green, blue]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

/** A packed colour, `part` of 256 of another over it; red and blue take the same steps at once. */
function blend(below, above, part) {
  const rest = 256 - part;
  const redBlue = ((below & 0xff00ff) * rest + (above & 0xff00ff) * part) >>> 8;
  const green = ((below & 0xff00) * rest + (above & 0xff00) * part) >>> 8;
  return 0xff000000 | (redBlue & 0xff00ff) | (green & 0xff00);
}

/**
 * Paints points, in order. They are larger on a larger canvas and in a deeper zoom.
 *
 * `points` have x and y in pixels of the canvas, a colour "#rrggbb" and an opacity, SOLID or FADED;
 * none is further outside the canvas than `reach` pixels. `background` is red, green and blue.
 */
export function paintPoints(context, points, zoom, reach, background) {
  const { width, height } = context.canvas;
  const size = Math.min(width, height);
  const radius = Math.min((size / 400) * zoom ** 0.4, size / 90);
  const { dx, dy, coverage } = disc(radius);
  const edge = reach + Math.ceil(radius); // around the canvas: nothing to clip
  const row = width + 2 * edge;
  const image = context.createImageData(row, height + 2 * edge);
  const pixels = new Uint32Array(image.data.buffer).fill(packed(background));
  const offsets = dx.map((x, i) => dy[i] * row + x);
  const brush = (opacity) => Int32Array.from(coverage, (share) => 256 * share * opacity);
  const brushes = { [SOLID]: brush(SOLID), [FADED]: brush(FADED) };
  const inks = new Map();
  for (const { x, y, colour, opacity } of points) {
    if (!inks.has(colour)) inks.set(colour, packed(rgb(colour)));
    const ink = inks.get(colour);
    const parts = brushes[opacity];
    const middle = (y + edge) * row + x + edge;
    for (let i = 0; i < parts.length; i++) {
      pixels[middle + offsets[i]] = blend(pixels[middle + offsets[i]], ink, parts[i]);
    }
  }
  context.putImageData(image, -edge, -edge);
}

/** The pixels of a disc, relative to its middle, and how much of each it covers, 0 to 1. */
function disc(radius) {
  const reach = Math.ceil(radius);
  const [dx, dy, coverage] = [[], [], []];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const share = clamp(radius + 0.5 - Math.hypot(x, y), 0, 1);
      if (!share) continue;
      dx.push(x);
      dy.push(y);
      coverage.push(share);
    }
  }
  return { dx, dy, coverage };
}
