// What all components look at: a network, an image, a layer and a filter, which the server decides,
// and the unit under the pointer, which it never hears of.

import { Network, Outputs, readHeader, unpack } from "./arithmetic.js";

const KEPT_IMAGES = 8;

class View {
  #networks = new Map();
  #images = new Map();
  #listeners = new Set();
  #asked = null;

  network = null;
  outputs = null;
  layer = 0;
  filter = 0;
  /** Whether all maps of the sheet have one colour scale. */
  shared = false;
  /** {row, col} that a click has pinned, or null. */
  pinned = null;
  /** The unit under the pointer or the keyboard's cursor, or null. */
  pointed = null;
  /** Whether a kernel walks over the map, which the pointer is not to disturb. */
  walking = false;
  /** The map of the layer before whose part of the sum is shown, null for the one with most. */
  channel = null;

  /** Takes in a packet of `kind` "network" or "image". */
  receive(bytes) {
    const { kind, key } = readHeader(bytes);
    if (kind === "network") {
      if (!this.#networks.has(key)) this.#networks.set(key, new Network(unpack(bytes)));
    } else {
      // The network that makes sense of it may still be on its way.
      const image = this.#images.get(key) ?? { packet: unpack(bytes) };
      this.#images.delete(key);
      this.#images.set(key, image);
      if (this.#images.size > KEPT_IMAGES) this.#images.delete(this.#images.keys().next().value);
    }
    this.#look();
  }

  /** Shows what the server asks for, as soon as all of it is there. */
  look(asked) {
    this.#asked = asked;
    this.#look();
  }

  /** Calls `listener` after each change of what is shown; returns how to stop that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    if (this.outputs) listener("all");
    return () => this.#listeners.delete(listener);
  }

  /** The unit that is explained: the pointed one, else the pinned one, else the map's peak. */
  get unit() {
    const { layer, filter } = this;
    return (
      this.pointed ??
      (this.pinned ? { layer, filter, ...this.pinned } : this.outputs.peak(layer, filter))
    );
  }

  /** Points at a unit, or at none; says whether that is another one than before. */
  point(unit) {
    const moved = JSON.stringify(unit) !== JSON.stringify(this.pointed);
    this.pointed = unit;
    if (moved) this.#tell("unit");
    return moved;
  }

  choose(channel) {
    this.channel = channel;
    this.#tell("unit");
  }

  #look() {
    const network = this.#networks.get(this.#asked?.model);
    const image = this.#images.get(this.#asked?.image);
    if (!network || !image) return;
    const { filter, shared, pinned } = this.#asked;
    const layer = network.index(this.#asked.layer);
    const changed = network !== this.network || layer !== this.layer;
    if (changed) this.channel = null;
    if (changed || filter !== this.filter) this.pointed = null;
    if (image.outputs?.network !== network) image.outputs = new Outputs(network, image.packet);
    Object.assign(this, { network, outputs: image.outputs, layer, filter, shared, pinned });
    this.#tell("all");
  }

  #tell(what) {
    for (const listener of this.#listeners) listener(what);
  }
}

export const view = new View();
