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
// While events are captured, so before the page itself receives them.
for (const kind of ["pointerdown", "keydown", "focusin"]) {
  document.addEventListener(kind, (event) => isElsewhere(event) && choice.tell(), true);
}
document.addEventListener("click", hold, true);
window.addEventListener("popstate", () => mounted.size && choice?.takeFromAddress());

/** Whether a student has turned to something else, which may need what was chosen here. */
function isElsewhere(event) {
  return choice && mounted.size && !event.composedPath().some((element) => mounted.has(element));
}

/** Lets a click elsewhere wait until the server knows the choice: from what is said at the same
 * moment Streamlit 1.67 makes one run, and then it forgets either of both. */
async function hold(event) {
  if (!isElsewhere(event) || choice.isKnown) return;
  const [target] = event.composedPath();
  event.preventDefault();
  event.stopImmediatePropagation();
  await choice.untilKnown();
  target.dispatchEvent(new MouseEvent("click", event));
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
