// What the explorer's components look at: a network, an image and a layer, which the server decides;
// the filter and the pinned unit, which a student chooses here; and the unit under the pointer.

import { Network, Outputs, readHeader, unpack } from "./arithmetic.js";
import { Choice } from "../choice.js";

const KEPT_IMAGES = 8;

class View {
  #networks = new Map();
  #images = new Map();
  #listeners = new Set();
  #asked = null;

  network = null;
  outputs = null;
  layer = 0;
  /** Whether all maps of the sheet have one colour scale. */
  shared = false;
  /** The filter, and the row and column that a click has pinned, or null for both. */
  choice = new Choice(
    { filter: 0, row: null, col: null },
    () => this.#limits(),
    () => this.#chosen(),
  );
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

  get filter() {
    return this.choice.values.filter;
  }

  /** {row, col} of the pinned unit, or null. */
  get pinned() {
    const { row, col } = this.choice.values;
    return row === null || col === null ? null : { row, col };
  }

  /** Shows what the server asks for, as soon as all of it is there. */
  look(asked) {
    this.#asked = asked;
    this.#look();
  }

  /** Chooses a filter, as a slider does that passes many of them: no step of the history. */
  chooseFilter(filter) {
    this.choice.set({ filter });
  }

  /** Chooses a filter and the unit of its map that is pinned, {row, col} or null; Back undoes it. */
  pin(filter, unit) {
    // A flat layer has no place to pin.
    const place = this.network.isFlat(this.layer) ? null : unit;
    const { row, col } = place ?? { row: null, col: null };
    this.choice.set({ filter, row, col }, true);
  }

  #chosen() {
    if (this.pointed?.filter !== this.filter) this.pointed = null;
    if (this.outputs) this.#notify("choice");
  }

  #limits() {
    if (!this.outputs) return {};
    const [height, width, count] = this.network.shapes[this.layer];
    const isFlat = this.network.isFlat(this.layer);
    return { filter: count, row: isFlat ? 0 : height, col: isFlat ? 0 : width };
  }

  /** Calls `listener` after each change, with "unit" for that of the explained unit alone, "choice"
   * for the filter or the pin, and else "all"; returns how to stop that. */
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
    if (moved) this.#notify("unit");
    return moved;
  }

  chooseChannel(channel) {
    this.channel = channel;
    this.#notify("unit");
  }

  #look() {
    const network = this.#networks.get(this.#asked?.model);
    const image = this.#images.get(this.#asked?.image);
    if (!network || !image) return;
    const { choice, tells, shared } = this.#asked;
    const layer = network.index(this.#asked.layer);
    const changed = network !== this.network || layer !== this.layer;
    const before = this.filter;
    this.choice.applyServerState(choice, tells, changed);
    if (changed) this.channel = null;
    if (changed || before !== this.filter) this.pointed = null;
    if (image.outputs?.network !== network) image.outputs = new Outputs(network, image.packet);
    Object.assign(this, { network, outputs: image.outputs, layer, shared });
    this.#notify("all");
  }

  #notify(what) {
    for (const listener of this.#listeners) listener(what);
  }
}

export const view = new View();
