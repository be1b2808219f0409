// Values to colours, and small elements that show them.

/** A number with a fixed count of decimals; zero has no sign. */
export function fixed(value, digits = 4) {
  const text = value.toFixed(digits);
  return /^-0\.?0*$/.test(text) ? text.slice(1) : text;
}

/** The same, with a plus or a minus before it. */
export const signed = (value, digits) =>
  (fixed(value, digits).startsWith("-") ? "" : "+") + fixed(value, digits);

/** Which value gets which colour: as core/pictures/scales.py has it, from 0, or centred where signed. */
export function scaleOf(low, high) {
  if (low < 0) {
    const largest = Math.max(-low, high);
    return { low: -largest, high: largest, palette: "diverging" };
  }
  return { low: 0, high: high || 1, palette: "sequential" };
}

/** What the ends of a scale look like, in words. */
export function describeScale({ low, high, palette }) {
  const [first, last] = { diverging: ["blue", "red"], grey: ["black", "white"] }[palette] ?? [
    "dark",
    "yellow",
  ];
  const short = (value) => (value === 0 ? "0" : value.toPrecision(3));
  return `${first} ${short(low)}, ${last} ${short(high)}`;
}

const palettes = new Map();

/** A palette's 256 colours as {r, g, b} and as numbers that ImageData takes. */
function colours(palette, network) {
  const text = network.header.palettes[palette];
  if (!palettes.has(text)) {
    const rgb = Uint8Array.from(text.match(/../g), (hex) => parseInt(hex, 16));
    const packed = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      packed[i] = 0xff000000 | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i];
    }
    palettes.set(text, { rgb, packed });
  }
  return palettes.get(text);
}

const entry = (value, { low, high }) =>
  Math.max(0, Math.min(255, Math.round(((value - low) * 255) / (high - low))));

/** A value's colour, and black or white to write on it, as CSS. */
export function inkOn(value, scale, network) {
  const { rgb } = colours(scale.palette, network);
  const [r, g, b] = rgb.subarray(3 * entry(value, scale));
  const bright = 0.299 * r + 0.587 * g + 0.114 * b > 140;
  return { background: `rgb(${r} ${g} ${b})`, color: bright ? "#000" : "#fff" };
}

/** A colour bar's background. */
export function gradient(palette, network) {
  const { rgb } = colours(palette, network);
  const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255].map(
    (i) => `rgb(${rgb[3 * i]} ${rgb[3 * i + 1]} ${rgb[3 * i + 2]})`,
  );
  return `linear-gradient(90deg, ${stops.join(",")})`;
}

/**
 * Paints maps of a layer side by side, one pixel a cell.
 *
 * @param canvas it gets the size that takes.
 * @param what `values` in the order rows, columns, maps; their `shape`, [height, width, maps];
 *   `filters`, which maps to paint, in which order; `scales`, one for each of these; how many
 *   `columns` to paint them in, with how many pixels of `gap`; cells of a map from the `known`-th
 *   stay transparent.
 */
export function paint(canvas, network, what) {
  const { values, shape, filters, scales, columns = 1, gap = 0, known = Infinity } = what;
  const [height, width, count] = shape;
  canvas.width = columns * (width + gap) - gap;
  canvas.height = Math.ceil(filters.length / columns) * (height + gap) - gap;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  filters.forEach((filter, place) => {
    const { packed } = colours(scales[place].palette, network);
    const [row, column] = [Math.floor(place / columns), place % columns];
    const corner = row * (height + gap) * canvas.width + column * (width + gap);
    for (let cell = 0; cell < Math.min(height * width, known); cell++) {
      const at = corner + Math.floor(cell / width) * canvas.width + (cell % width);
      pixels[at] = packed[entry(values[cell * count + filter], scales[place])];
    }
  });
  context.putImageData(image, 0, 0);
}
