// All maps of a layer at the epoch that the player shows, which says so by an event.
const listeners = new WeakMap();

export default function ({ data: json, parentElement }) {
  const data = JSON.parse(new TextDecoder().decode(json));
  const root = parentElement.querySelector(".epoch-player");
  const { cell, columns, count, epochs } = data;
  const [height, width] = data.size;
  const frame = document.createElement("div");
  const picture = document.createElement("i");
  const outline = document.createElement("b");
  frame.className = "sheet";
  frame.style.setProperty("--columns", columns);
  frame.style.setProperty("--rows", Math.ceil(count / columns));
  picture.style.aspectRatio = `${width} / ${height}`;
  picture.style.backgroundImage = `url(${data.sheet})`;
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `All ${count} maps of the layer at the epoch`);
  picture.append(outline);
  frame.append(picture);
  root.replaceChildren(frame);

  const show = () => {
    const { at, chosen } = globalThis.shownEpoch ?? { at: epochs - 1, chosen: null };
    picture.style.backgroundPositionY = epochs > 1 ? `${(100 * at) / (epochs - 1)}%` : "0";
    outline.hidden = chosen === null || chosen >= count;
    outline.style.left = `${(100 * (chosen % columns) * cell[1]) / width}%`;
    outline.style.top = `${(100 * Math.floor(chosen / columns) * cell[0]) / height}%`;
    outline.style.width = `${(100 * cell[1]) / width}%`;
    outline.style.height = `${(100 * cell[0]) / height}%`;
  };
  document.removeEventListener("epoch", listeners.get(root));
  listeners.set(root, show);
  document.addEventListener("epoch", show);
  show();
  return () => document.removeEventListener("epoch", listeners.get(root));
}
