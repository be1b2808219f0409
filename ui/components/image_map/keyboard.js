// The keyboard on the map: arrows go from image to image, Enter picks one, + and − zoom.

export const ZOOM_STEP = 1.6; // factor by which a button or a key zooms
const MIN_STEP = 14; // CSS pixels that an arrow key goes at least: often the next image is nearer

// Each makes its direction the first axis: [ahead, aside].
const TURNS = {
  ArrowRight: (x, y) => [x, y],
  ArrowLeft: (x, y) => [-x, y],
  ArrowDown: (x, y) => [y, x],
  ArrowUp: (x, y) => [-y, x],
};
const ZOOMS = { "+": ZOOM_STEP, "=": ZOOM_STEP, "-": 1 / ZOOM_STEP, "−": 1 / ZOOM_STEP };

/** Moves an ImageMap by a key; other keys are left to the page. */
export function handleKey(map, event) {
  const from = map.cursor;
  const { key } = event;
  if (key in TURNS && from !== null) step(map, from, TURNS[key]);
  else if (key in ZOOMS) map.zoomBy(ZOOMS[key], from === null ? undefined : map.whereIs(from));
  else if (key === "Home") map.reset();
  else if (key === "Enter") map.pick(map.pointed);
  else if (key === "Escape") map.point(null);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Goes from an image to the nearest one in a direction. */
function step(map, from, turn) {
  const [x, y] = map.whereIs(from);
  const image = map.best((left, top) => {
    const [ahead, aside] = turn(left - x, top - y);
    return ahead >= MIN_STEP && Math.abs(aside) <= ahead ? Math.hypot(ahead, aside) : Infinity;
  });
  if (image === null) return;
  map.point(image);
  map.show(image);
}
