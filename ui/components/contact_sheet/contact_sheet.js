const drawn = new WeakMap();

// A click may have begun on a cell when the same cells come again: so they stay, and only what says
// which are chosen or off changes.
export default function ({ data: json, parentElement, setTriggerValue }) {
  const { chosen, off, ...data } = JSON.parse(new TextDecoder().decode(json));
  const root = parentElement.querySelector(".contact-sheet");
  const same = JSON.stringify(data);
  if (drawn.get(root) !== same) draw(root, data);
  drawn.set(root, same);
  data.numbers.forEach((number, index) => {
    const cell = root.children[index];
    if (cell.tagName === "A") {
      if (number === chosen) cell.setAttribute("aria-current", "true");
      else cell.removeAttribute("aria-current");
      return;
    }
    const isOff = off.includes(number);
    cell.classList.toggle("off", isOff);
    cell.setAttribute("aria-pressed", String(isOff || number === chosen));
    cell.onclick = () => setTriggerValue("picked", number);
  });
}

// Draws `data.numbers.length` images out of one picture, `data.columns` in a row of it.
function draw(root, data) {
  const { columns, fields, links, numbers } = data;
  const [height, width] = data.size;
  const rows = Math.ceil(numbers.length / columns);

  // A rectangle of image `index`, in its pixels, as an element that shows just that.
  const part = (index, { top, left, height: tall, width: wide }) => {
    const picture = document.createElement("i");
    const share = (offset, whole, seen) => (whole === seen ? 0 : (100 * offset) / (whole - seen));
    const x = share((index % columns) * width + left, columns * width, wide);
    const y = share(Math.floor(index / columns) * height + top, rows * height, tall);
    picture.style.backgroundImage = `url(${data.sheet})`;
    picture.style.backgroundSize =
      `${(100 * columns * width) / wide}% ${(100 * rows * height) / tall}%`;
    picture.style.backgroundPosition = `${x}% ${y}%`;
    return picture;
  };

  const cells = numbers.map((number, index) => {
    const picture = part(index, { top: 0, left: 0, height, width });
    const cell = document.createElement(links[index] ? "a" : "button");
    if (links[index]) cell.href = links[index];
    else cell.type = "button";
    cell.setAttribute("aria-label", `${data.what} ${number}, ${data.names[index]}`);
    cell.title = data.names[index];
    cell.append(picture);
    if (fields[index]) {
      const { top, left, height: tall, width: wide } = fields[index];
      const outline = document.createElement("b");
      outline.style.top = `${(100 * top) / height}%`;
      outline.style.left = `${(100 * left) / width}%`;
      outline.style.height = `${(100 * tall) / height}%`;
      outline.style.width = `${(100 * wide) / width}%`;
      picture.append(outline);
      cell.append(part(index, fields[index]));
    }
    cell.append(data.captions[index]);
    return cell;
  });
  root.style.setProperty("--size", `${data.side}px`);
  root.replaceChildren(...cells);
}
