// The pointer over maps: the unit under it is shown, and a click pins that unit.

import { view } from "./view.js";

// Scrolling puts another unit under a pointer that rests, without a pointer event.
let scrolls = 0;
document.addEventListener("scroll", () => (scrolls += 1), { capture: true, passive: true });

/**
 * Shows the unit under the pointer and pins it on a click.
 *
 * A unit is located once. The coordinates of a click are whole pixels, those of the pointer events
 * before it have fractions, and showing a unit can move the element under the pointer: located again,
 * a click could pin a unit that was not shown. So a click pins the unit of the last pointer event, and
 * an event at the same place as the one before keeps the unit while that is still shown.
 *
 * @param element contains the maps.
 * @param unitAt returns the unit at the coordinates of an event, or null.
 * @param mayPoint returns whether the pointer may change which unit is shown.
 */
export function followPointer(element, unitAt, mayPoint) {
  let unit = null;
  let place = "";
  element.onpointermove = element.onpointerup = (event) => {
    const now = [event.clientX, event.clientY, scrolls].join();
    if (now === place && unit === view.pointed) return;
    place = now;
    unit = unitAt(event);
    if (unit && mayPoint()) view.point(unit);
  };
  element.onpointerleave = () => {
    if (!view.walking) view.point(null);
  };
  element.onclick = (event) => {
    // A click without a pointer, as of a screen reader, has the detail 0 and no pointer events.
    const pinned = event.detail ? unit : unitAt(event);
    if (pinned) view.pin(pinned.filter, { row: pinned.row, col: pinned.col });
  };
}
