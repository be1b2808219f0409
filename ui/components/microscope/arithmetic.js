// The arithmetic of one unit: where its value came from, as numbers that add up.
//
// A unit is {layer, filter, row, col}; `layer` counts from 0, and -1 is the image. A flat output
// counts as maps of one cell, so that a dense layer is a convolution with a 1×1 kernel. Values and
// weights are NumPy's (float32); sums are made here, in double precision.

const ACTIVATIONS = {
  linear: (z) => z,
  relu: (z) => Math.max(z, 0),
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  tanh: Math.tanh,
};
// These change a value without a look at its neighbours.
const ONE_TO_ONE = ["Activation", "BatchNormalization", "ReLU", "Rescaling"];

/** Reads the header of a packet of core/packet.py. */
export function readHeader(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(4, endOfHeader(bytes))));
}

function endOfHeader(bytes) {
  return 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Reads a packet: its header, with each entry of `arrays` a Float32Array. */
export function unpack(bytes) {
  const { buffer } = bytes.slice();
  const header = readHeader(bytes);
  let offset = endOfHeader(bytes);
  for (const [name, shape] of Object.entries(header.arrays)) {
    const size = shape.reduce((product, side) => product * side, 1);
    const bits = new Uint8Array(buffer, offset);
    offset += 4 * Math.ceil(size / 32);
    const numbers = new Float32Array(buffer, offset);
    const array = new Float32Array(size);
    let next = 0;
    for (let at = 0; at < size; at++) {
      if ((bits[at >> 3] >> (at & 7)) & 1) array[at] = numbers[next++];
    }
    offset += 4 * next;
    header.arrays[name] = array;
  }
  return header;
}

/** Height, width and number of maps; a flat shape is as many maps of one cell. */
const asMaps = (shape) => (shape.length === 3 ? shape : [1, 1, shape.at(-1)]);

/** A network's layers and weights, and what is the same for every image. */
export class Network {
  constructor(header) {
    this.header = header;
    this.weights = header.arrays;
    this.layers = header.layers;
    this.shapes = { [-1]: header.input };
    this.layers.forEach((layer, index) => (this.shapes[index] = asMaps(layer.output)));
  }

  index(name) {
    return this.layers.findIndex((layer) => layer.name === name);
  }

  name(layer) {
    return layer < 0 ? "input" : this.layers[layer].name;
  }

  isFlat(layer) {
    return layer >= 0 && this.layers[layer].output.length !== 3;
  }

  /** What one map of a layer is called, or one unit of a flat layer. */
  filterName(layer, filter) {
    if (!this.isFlat(layer)) return `filter ${filter}`;
    const answers = layer === this.layers.length - 1;
    return answers ? `unit ${filter}, ${this.header.classes[filter]}` : `unit ${filter}`;
  }

  unitName({ layer, filter, row, col }) {
    const name = this.filterName(layer, filter);
    return this.isFlat(layer) ? name : `${name}, row ${row}, column ${col}`;
  }

  /** The rectangle of layer `to` that the units of a rectangle of layer `from` see, not clipped. */
  field(from, { top, left, height, width }, to = -1) {
    let [rows, cols] = [
      [top, top + height - 1],
      [left, left + width - 1],
    ];
    for (let index = from; index > to; index--) {
      rows = span(this.layers[index].rows, rows);
      cols = span(this.layers[index].cols, cols);
    }
    return {
      top: rows[0],
      left: cols[0],
      height: rows[1] - rows[0] + 1,
      width: cols[1] - cols[0] + 1,
    };
  }

  /** Where an entry of a flat layer stood before it was flattened, as a unit; itself elsewhere. */
  origin(unit) {
    let { layer, filter, row, col } = unit;
    while (layer >= 0) {
      const { kind } = this.layers[layer];
      if (kind === "Flatten") {
        const [, width, count] = asMaps(this.layers[layer].input);
        const cell = Math.floor(filter / count);
        [row, col, filter] = [Math.floor(cell / width), cell % width, filter % count];
      } else if (kind !== "Dropout") break;
      layer--;
    }
    return { layer, filter, row, col };
  }

  /** The part of the image that a unit sees, not clipped. */
  receptiveField(unit) {
    const { layer, row, col } = this.origin(unit);
    return this.field(layer, { top: row, left: col, height: 1, width: 1 });
  }
}

function span({ kernel, stride, before }, [first, last]) {
  return [first * stride - before, last * stride - before + kernel - 1];
}

/** What a network makes of one image. */
export class Outputs {
  #statistics = new Map();

  constructor(network, header) {
    this.network = network;
    this.outputs = new Map([[-1, header.arrays[""]]]);
    network.layers.forEach(({ name }, index) => {
      if (name in header.arrays) this.outputs.set(index, header.arrays[name]);
    });
  }

  /** A layer's output, in the order rows, columns, maps. */
  output(layer) {
    if (!this.outputs.has(layer)) this.outputs.set(layer, this.#pick(layer));
    return this.outputs.get(layer);
  }

  value({ layer, filter, row, col }) {
    const [height, width, count] = this.network.shapes[layer];
    // Padding: a sum counts it as 0, a maximum never picks it.
    if (row < 0 || col < 0 || row >= height || col >= width) return undefined;
    return this.output(layer)[(row * width + col) * count + filter];
  }

  /** The unit with the largest value of a map, the first in rows and columns on ties. */
  peak(layer, filter) {
    const [height, width, count] = this.network.shapes[layer];
    const values = this.output(layer);
    let best = filter;
    for (let at = filter; at < height * width * count; at += count) {
      if (values[at] > values[best]) best = at;
    }
    const cell = Math.floor(best / count);
    return { layer, filter, row: Math.floor(cell / width), col: cell % width };
  }

  /** Smallest, mean and largest value of each of a layer's maps. */
  statistics(layer) {
    if (!this.#statistics.has(layer)) this.#statistics.set(layer, this.#measure(layer));
    return this.#statistics.get(layer);
  }

  /** The window on the layer before that a unit is made from; it may reach over the edge. */
  window({ layer, row, col }) {
    return this.network.field(layer, { top: row, left: col, height: 1, width: 1 }, layer - 1);
  }

  /**
   * Where a unit's value came from. `kind` is one of
   * - "sum": of `contributions`, a number for each map of the layer before, plus `bias` it is `pre`;
   *   the activation makes it `value`;
   * - "softmax": `logits`, `exponentials` (of each logit less the largest), their `sum`; `value` is
   *   the unit's share. Where the layer has weights the logit is a sum: then as above, too;
   * - "largest" of `cells`, with `winner`; "mean" of `cells`; each cell {row, col, value};
   * - "copy": of the unit `source`; "value": of the unit `source`, in a way not explained.
   */
  explain(unit) {
    const layer = this.network.layers[unit.layer];
    const value = this.value(unit);
    const source = { ...unit, layer: unit.layer - 1 };
    if (layer.kind === "Conv2D" || layer.kind === "Dense") {
      const sum = this.#sum(unit, layer);
      if (layer.activation === "softmax") {
        const logits = this.#across(unit, (one) => this.#sum(one, layer).pre);
        return { ...sum, ...softmax(logits, unit.filter) };
      }
      return { kind: "sum", ...sum, value: ACTIVATIONS[layer.activation](sum.pre) };
    }
    if (layer.activation === "softmax") {
      const logits = this.#across(source, (one) => this.value(one));
      return softmax(logits, unit.filter);
    }
    if (layer.kind === "Flatten" || layer.kind === "Dropout") {
      return { kind: "copy", value, source: this.network.origin(unit) };
    }
    if (ONE_TO_ONE.includes(layer.kind)) return { kind: "value", value, source };
    const cells = this.#cells(unit);
    if (layer.kind === "MaxPooling2D") {
      const winner = cells.reduce((best, cell) => (cell.value > best.value ? cell : best));
      return { kind: "largest", value, cells, winner };
    }
    return { kind: "mean", value, cells };
  }

  /** The patch, the kernel and their products for one map of the layer before, row by row. */
  products(unit, channel) {
    const layer = this.network.layers[unit.layer];
    const kernel = this.network.weights[`${layer.name}/kernel`];
    const [, , channels] = this.network.shapes[unit.layer - 1];
    const [, , filters] = this.network.shapes[unit.layer];
    const { top, left, height, width } = this.window(unit);
    const rows = [];
    for (let row = 0; row < height; row++) {
      rows.push([]);
      for (let col = 0; col < width; col++) {
        const weight = kernel[((row * width + col) * channels + channel) * filters + unit.filter];
        const at = { layer: unit.layer - 1, filter: channel, row: top + row, col: left + col };
        const input = this.value(at);
        rows[row].push({ input, weight, product: (input ?? 0) * weight });
      }
    }
    return rows;
  }

  #sum(unit, layer) {
    const kernel = this.network.weights[`${layer.name}/kernel`];
    const bias = this.network.weights[`${layer.name}/bias`]?.[unit.filter] ?? 0;
    const input = this.output(unit.layer - 1);
    const [rows, cols, channels] = this.network.shapes[unit.layer - 1];
    const [, , filters] = this.network.shapes[unit.layer];
    const { top, left, height, width } = this.window(unit);
    const contributions = new Float64Array(channels);
    for (let row = Math.max(0, -top); row < Math.min(height, rows - top); row++) {
      for (let col = Math.max(0, -left); col < Math.min(width, cols - left); col++) {
        let x = ((top + row) * cols + left + col) * channels;
        let w = (row * width + col) * channels * filters + unit.filter;
        for (let channel = 0; channel < channels; channel++, x++, w += filters) {
          contributions[channel] += input[x] * kernel[w];
        }
      }
    }
    const pre = contributions.reduce((total, one) => total + one, bias);
    return { contributions, bias, pre };
  }

  #across(unit, read) {
    const [, , count] = this.network.shapes[unit.layer];
    return Float64Array.from({ length: count }, (_, filter) => read({ ...unit, filter }));
  }

  /** The cells under a unit's window, those of the padding left out. */
  #cells(unit) {
    const { top, left, height, width } = this.window(unit);
    const cells = [];
    for (let row = top; row < top + height; row++) {
      for (let col = left; col < left + width; col++) {
        const value = this.value({ layer: unit.layer - 1, filter: unit.filter, row, col });
        if (value !== undefined) cells.push({ row, col, value });
      }
    }
    return cells;
  }

  #measure(layer) {
    const [height, width, count] = this.network.shapes[layer];
    const values = this.output(layer);
    const low = new Float32Array(count).fill(Infinity);
    const high = new Float32Array(count).fill(-Infinity);
    const mean = new Float64Array(count);
    for (let at = 0; at < values.length; at++) {
      const filter = at % count;
      if (values[at] < low[filter]) low[filter] = values[at];
      if (values[at] > high[filter]) high[filter] = values[at];
      mean[filter] += values[at] / (height * width);
    }
    return { low, high, mean };
  }

  #pick(layer) {
    if (this.network.layers[layer].kind !== "MaxPooling2D") return this.output(layer - 1);
    const [height, width, count] = this.network.shapes[layer];
    const [rows, cols] = this.network.shapes[layer - 1];
    const input = this.output(layer - 1);
    const output = new Float32Array(height * width * count).fill(-Infinity);
    for (let row = 0, at = 0; row < height; row++) {
      for (let col = 0; col < width; col++, at += count) {
        const window = this.window({ layer, row, col });
        const bottom = Math.min(window.top + window.height, rows);
        const right = Math.min(window.left + window.width, cols);
        for (let y = Math.max(window.top, 0); y < bottom; y++) {
          for (let x = Math.max(window.left, 0); x < right; x++) {
            const from = (y * cols + x) * count;
            for (let filter = 0; filter < count; filter++) {
              const value = input[from + filter];
              if (value > output[at + filter]) output[at + filter] = value;
            }
          }
        }
      }
    }
    return output;
  }
}

/** Shares of 1 from logits, as core/network/activations.py has it: the largest logit is subtracted first. */
export function softmax(logits, chosen) {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((total, one) => total + one);
  return { kind: "softmax", logits, largest, exponentials, sum, value: exponentials[chosen] / sum };
}
