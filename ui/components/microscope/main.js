// The functions that the components call: see __init__.py.

import { Microscope } from "./microscope.js";
import { Numbers } from "./numbers.js";
import { choice as pairChoice, FilterChoice, Pair } from "./pair.js";
import { Sheet } from "./sheet.js";
import style from "./style.css";
import { view } from "./view.js";

const STYLE = new CSSStyleSheet();
const mounted = new Map();
let choice = null; // of the page in view

STYLE.replaceSync(style);
// Before the page itself gets the event, which may ask the server for something.
for (const kind of ["pointerdown", "keydown", "focusin"]) {
  document.addEventListener(kind, (event) => isElsewhere(event) && choice.writeUrl(), true);
}
window.addEventListener("popstate", () => mounted.size && choice?.takeFromUrl());

/** Returns whether a visitor uses something else, which may depend on what was chosen here. */
function isElsewhere(event) {
  return choice && mounted.size && !event.composedPath().some((element) => mounted.has(element));
}

/** Takes in a packet: a network, or an image's outputs. A page without a microscope has none. */
export function receive({ data }) {
  if (data?.length) view.receive(data);
}

export function sheet(component) {
  if (mount(component, Sheet)) begin(view.choice, component);
  view.look(read(component));
}

export function microscope(component) {
  mount(component, Microscope);
}

export function numbers(component) {
  mount(component, Numbers);
}

export function slider(component) {
  if (mount(component, FilterChoice)) begin(pairChoice, component);
  mounted.get(component.parentElement).look(read(component));
}

export function pair(component) {
  mount(component, Pair);
  mounted.get(component.parentElement).look(read(component));
}

const read = ({ data }) => JSON.parse(new TextDecoder().decode(data));

export function remove({ parentElement }) {
  mounted.get(parentElement)?.remove();
  mounted.delete(parentElement);
}

function begin(chosen, { setTriggerValue }) {
  choice = chosen;
  choice.begin((values) => setTriggerValue("pick", values));
}

/** Says whether the component was not there before. */
function mount({ parentElement }, Component) {
  if (mounted.has(parentElement)) return false;
  parentElement.getRootNode().adoptedStyleSheets = [STYLE];
  mounted.set(parentElement, new Component(parentElement.querySelector("div")));
  return true;
}
