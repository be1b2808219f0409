// The functions that the components call: see __init__.py.

import { ImageMap } from "./image_map.js";

const mounted = new Map();
let asked = null; // what the server asked for last

/** Shows a map, all of whose points are in `data`. */
export function show({ data, parentElement, setTriggerValue }) {
  if (!mounted.has(parentElement)) {
    mounted.set(parentElement, new ImageMap(parentElement.querySelector(".image-map")));
    if (asked) mounted.get(parentElement).look(asked);
  }
  const map = mounted.get(parentElement);
  map.send = (image) => setTriggerValue("picked", image);
  map.receive(data);
}

/** Shows what the server asks for. */
export function look({ data }) {
  asked = JSON.parse(new TextDecoder().decode(data));
  for (const map of mounted.values()) map.look(asked);
}

export function remove({ parentElement }) {
  mounted.get(parentElement)?.remove();
  mounted.delete(parentElement);
}
