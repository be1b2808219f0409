// Draws `data.numbers.length` images out of one picture, `data.columns` in a row of it.
export default function ({ data, parentElement, setTriggerValue }) {
  const share = (position, count) => (count === 1 ? 0 : (100 * position) / (count - 1));
  const rows = Math.ceil(data.numbers.length / data.columns);
  const buttons = data.numbers.map((number, index) => {
    const picture = document.createElement("i");
    picture.style.backgroundImage = `url(${data.sheet})`;
    picture.style.backgroundSize = `${100 * data.columns}% ${100 * rows}%`;
    const x = share(index % data.columns, data.columns);
    const y = share(Math.floor(index / data.columns), rows);
    picture.style.backgroundPosition = `${x}% ${y}%`;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `image ${number}, ${data.names[index]}`);
    button.setAttribute("aria-pressed", String(number === data.chosen));
    button.title = data.names[index];
    button.append(picture, String(number));
    button.onclick = () => setTriggerValue("picked", number);
    return button;
  });
  parentElement.querySelector(".contact-sheet").replaceChildren(...buttons);
}
