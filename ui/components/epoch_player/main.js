// The functions that the components call: see __init__.py.

import { lookAt, remove as removePlayer } from "./player.js";
import { lookAtSheet, removeSheet } from "./sheet.js";

let playerElement = null;

/** The component that carries these modules shows nothing. */
export function carry() {}

export function player(component) {
  playerElement = component.parentElement;
  lookAt(component);
}

export function sheet(component) {
  lookAtSheet(component);
}

export function remove({ parentElement }) {
  if (parentElement === playerElement) removePlayer();
  else if (parentElement.querySelector(".epoch-player")) removeSheet();
}
