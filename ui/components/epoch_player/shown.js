// What the player and the sheet of maps, two components of a page, know of each other; the document's
// event "epoch" says that it changed.

/**
 * index: the place of the epoch in view among the saved ones; filter: the map that the player
 * enlarges; maps: the maps of all epochs, once the sheet has them.
 */
export const shown = { index: undefined, filter: undefined, maps: null };
