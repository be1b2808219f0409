// All maps of a layer at the epoch that the player shows, which enlarges one of them.

import { shown } from "./shown.js";

const make = (name, parent, properties = {}) => {
  const element = Object.assign(document.createElement(name), properties);
  parent.append(element);
  return element;
};

// Shades (maps, height, width, epochs), each the place in `colours`.
class Maps {
  constructor({ shape, columns, colours }, shades) {
    [this.count, this.height, this.width, this.epochs] = shape;
    this.columns = columns;
    this.shades = shades;
    // As ImageData takes them.
    this.colours = colours.map((colour) => {
      const rgb = parseInt(colour.slice(1), 16);
      return 0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16);
    });
  }

  // Paints maps at an epoch side by side, one pixel a cell; the canvas gets the size that takes.
  paint(canvas, epoch, indices, columns) {
    const { height, width, epochs, shades, colours } = this;
    canvas.width = columns * width;
    canvas.height = Math.ceil(indices.length / columns) * height;
    const image = new ImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    indices.forEach((index, place) => {
      const corner = Math.floor(place / columns) * height * canvas.width + (place % columns) * width;
      const first = index * height * width;
      for (let cell = 0; cell < height * width; cell++) {
        const at = corner + Math.floor(cell / width) * canvas.width + (cell % width);
        pixels[at] = colours[shades[(first + cell) * epochs + epoch]];
      }
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
  }
}

async function unpack(data) {
  const start = 4 + new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(data.subarray(4, start)));
  const packed = new Blob([data.subarray(start)]).stream();
  const shades = packed.pipeThrough(new DecompressionStream("deflate"));
  return { header, shades: new Uint8Array(await new Response(shades).arrayBuffer()) };
}

function build(root) {
  const title = make("p", root, { className: "title" });
  const frame = make("div", root, { className: "sheet" });
  const sheet = { title, frame, canvas: make("canvas", frame), outline: make("b", frame) };
  sheet.canvas.role = "img";
  sheet.show = () => show(sheet);
  return sheet;
}

function show({ canvas, outline }) {
  const { index, filter, maps } = shown;
  if (!maps || index === undefined) return;
  const { count, columns } = maps;
  const rows = Math.ceil(count / columns);
  maps.paint(canvas, index, [...Array(count).keys()], columns);
  outline.hidden = filter >= count;
  outline.style.left = `${(100 * (filter % columns)) / columns}%`;
  outline.style.top = `${(100 * Math.floor(filter / columns)) / rows}%`;
  outline.style.width = `${100 / columns}%`;
  outline.style.height = `${100 / rows}%`;
}

let sheet = null; // of the page in view

/** Shows the maps that the server sends. */
export function lookAtSheet({ data, parentElement }) {
  if (sheet === null) {
    sheet = build(parentElement.querySelector(".epoch-player"));
    document.addEventListener("epoch", sheet.show);
  }
  sheet.latest = data;
  unpack(data).then(({ header, shades }) => {
    if (sheet?.latest !== data) return; // there is another one by now
    const { title, frame, canvas } = sheet;
    shown.maps = new Maps(header, shades);
    title.textContent = header.title;
    canvas.ariaLabel = header.title;
    frame.style.setProperty("--columns", header.columns);
    frame.style.setProperty("--rows", Math.ceil(header.shape[0] / header.columns));
    document.dispatchEvent(new Event("epoch"));
  });
}

export function removeSheet() {
  if (sheet === null) return;
  document.removeEventListener("epoch", sheet.show);
  sheet = shown.maps = null;
}
