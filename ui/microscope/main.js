// What the components' few lines call: see __init__.py.

import { Microscope } from "./microscope.js";
import { Sheet } from "./sheet.js";
import { view } from "./view.js";

const STYLE = new CSSStyleSheet();
const mounted = new Map();

/** starter.js calls it first. */
export function start(style) {
  STYLE.replaceSync(style);
}

/** Takes in a packet: a network, or an image's outputs. */
export function receive({ data }) {
  view.receive(data);
}

export function sheet(component) {
  mount(component, Sheet);
  view.look(JSON.parse(new TextDecoder().decode(component.data)));
}

export function microscope(component) {
  mount(component, Microscope);
}

export function remove({ parentElement }) {
  mounted.get(parentElement)?.remove();
  mounted.delete(parentElement);
}

function mount({ parentElement, setTriggerValue }, Component) {
  if (mounted.has(parentElement)) return;
  parentElement.getRootNode().adoptedStyleSheets = [STYLE];
  const root = parentElement.querySelector("div");
  mounted.set(parentElement, new Component(root, (unit) => setTriggerValue("pick", unit)));
}
