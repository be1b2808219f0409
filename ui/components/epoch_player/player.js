// What was saved of a training, one epoch at a time. The server draws nothing of it: the epoch that the
// slider comes to rest at is in the URL alone.

import { Choice } from "../choice.js";
import { shown } from "./shown.js";

const STEP_MS = 600; // per epoch, while playing
const CURVE = { width: 250, height: 120, left: 38, bottom: 18 };

let player = null; // of the page in view

/** The epoch; null is the last one, which stays out of the URL. */
const choice = new Choice(
  { epoch: null },
  () => (player ? { epoch: player.data.epochs.at(-1) + 1 } : {}),
  () => player && show(player, chosenIndex()),
);

/** Returns the place of the chosen epoch among the saved ones. */
function chosenIndex() {
  const { epochs } = player.data;
  const index = epochs.indexOf(choice.values.epoch ?? epochs.at(-1));
  return index < 0 ? epochs.length - 1 : index;
}

const make = (name, parent, properties = {}) => {
  const element = Object.assign(document.createElement(name), properties);
  parent?.append(element);
  return element;
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// The controls, which live as long as the component, so that the keyboard's focus stays.
function build(root) {
  const bar = make("div", root, { className: "bar" });
  const player = {
    button: make("button", bar, { type: "button" }),
    slider: make("input", bar, { type: "range", min: 0, step: 1 }),
    words: make("span", bar, { className: "at" }),
    stage: make("div", root, { className: "row" }),
    at: null,
    timer: null,
    follow: () => player.figures.forEach((figure) => figure(player.at)),
  };
  player.slider.setAttribute("aria-label", "Epoch");
  player.words.setAttribute("aria-live", "polite");
  player.slider.oninput = () => {
    pause(player);
    choose(player, Number(player.slider.value));
  };
  player.button.onclick = () => (player.timer ? pause(player) : play(player));
  pause(player);
  return player;
}

function pause(player) {
  clearInterval(player.timer);
  player.timer = null;
  player.button.textContent = "▶ play";
}

function play(player) {
  const last = player.data.epochs.length - 1;
  player.button.textContent = "❚❚ pause";
  choose(player, player.at === last ? 0 : player.at + 1);
  player.timer = setInterval(() => {
    if (player.at < player.data.epochs.length - 1) choose(player, player.at + 1);
    else pause(player);
  }, STEP_MS);
}

function choose({ data: { epochs } }, index) {
  choice.set({ epoch: index === epochs.length - 1 ? null : epochs[index] });
}

// The figures of `data`; each is a function that shows epoch `at`.
function draw(player) {
  const { data, stage } = player;
  stage.replaceChildren();
  player.figures = data.films.map((film) => drawFilm(film, data.epochs.length, stage));
  player.figures.push(drawClasses(data, stage));
  if (data.accuracies.length) player.figures.push(drawCurve(data, stage));
  player.slider.max = data.epochs.length - 1;
}

function drawFilm(film, count, stage) {
  const figure = make("div", stage);
  make("h4", figure, { textContent: film.title });
  const picture = make(film.sheet ? "i" : "canvas", figure);
  const [height, width] = film.size;
  figure.style.width = picture.style.width = `${film.width}px`;
  picture.style.aspectRatio = `${width} / ${height}`;
  if (film.sheet) picture.style.backgroundImage = `url(${film.sheet})`;
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", film.title);
  const bar = make("div", figure, { className: "colours" });
  bar.append(film.ends[0]);
  make("span", bar).style.background = `linear-gradient(90deg, ${film.colours})`;
  bar.append(film.ends[1]);
  make("p", figure, { textContent: film.words });
  return (at) => {
    if (!film.sheet) shown.maps?.paint(picture, at, [film.index], 1);
    else picture.style.backgroundPositionY = count > 1 ? `${(100 * at) / (count - 1)}%` : "0";
  };
}

function drawClasses(data, stage) {
  const figure = make("div", stage);
  make("h4", figure, { textContent: `Prediction for ${data.title}` });
  const table = make("div", figure, { className: "classes" });
  table.setAttribute("role", "img");
  const rows = data.classes.map((name, index) => {
    const isTrue = index === data.label;
    make("b", table, { textContent: isTrue ? `${name} ✓` : name, className: isTrue ? "true" : "" });
    return [make("u", make("span", table)), make("em", table)];
  });
  return (at) => {
    const shares = data.probabilities[at];
    const best = shares.indexOf(Math.max(...shares));
    const alt = `Bars of the ten class probabilities; highest ${data.classes[best]}`;
    table.setAttribute("aria-label", `${alt} with ${percent(shares[best])}`);
    rows.forEach(([bar, number], index) => {
      bar.style.width = percent(shares[index]).replace(" ", "");
      number.textContent = percent(shares[index]);
    });
  };
}

function drawCurve(data, stage) {
  const figure = make("div", stage);
  make("h4", figure, { textContent: "Test accuracy" });
  const { width, height, left, bottom } = CURVE;
  const last = data.epochs.at(-1);
  const x = (epoch) => left + ((width - left - 8) * epoch) / last;
  const y = (share) => (height - bottom) * (1 - share) + 4;
  const points = data.epochs.map((epoch, at) => [x(epoch), y(data.accuracies[at])]);
  const lines = [0, 0.5, 1].map(
    (share) =>
      `<line class="grid" x1="${left}" x2="${width}" y1="${y(share)}" y2="${y(share)}"/>` +
      `<text x="${left - 6}" y="${y(share) + 4}" text-anchor="end">${100 * share} %</text>`,
  );
  figure.insertAdjacentHTML(
    "beforeend",
    `<svg width="${width}" height="${height + 12}" role="img" aria-label="Curve of the test accuracy by epoch">
      ${lines.join("")}<polyline class="curve" points="${points.join(" ")}"/>
      ${points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="2.5" fill="#0072b2"/>`).join("")}
      <circle class="now" r="6"/>
      <text x="${left}" y="${height + 8}">0</text>
      <text x="${width - 8}" y="${height + 8}" text-anchor="middle">${last}</text>
      <text x="${(left + width) / 2}" y="${height + 8}" text-anchor="middle">epoch</text>
    </svg>`,
  );
  const now = figure.querySelector(".now");
  return (at) => {
    now.setAttribute("cx", points[at][0]);
    now.setAttribute("cy", points[at][1]);
  };
}

function show(player, at) {
  const { data } = player;
  player.at = at;
  player.slider.value = at;
  const epoch = data.epochs[at];
  const when = epoch ? `after epoch ${epoch}` : "before training";
  const accuracy = data.accuracies.length ? `, test accuracy ${percent(data.accuracies[at])}` : "";
  player.words.textContent = when + accuracy;
  player.slider.setAttribute("aria-valuetext", when);
  shown.index = at;
  shown.filter = data.films.find((film) => "index" in film)?.index;
  document.dispatchEvent(new Event("epoch"));
}

/** Shows what the server sends; the epoch of the URL, unless another one was chosen meanwhile. */
export function lookAt({ data: json, parentElement }) {
  const data = JSON.parse(new TextDecoder().decode(json));
  const isNew = player === null;
  if (isNew) {
    player = build(parentElement.querySelector(".epoch-player"));
    choice.begin(() => {});
    document.addEventListener("epoch", player.follow);
    addEventListener("popstate", takeFromUrl);
    for (const kind of ["pointerdown", "keydown", "focusin"]) {
      document.addEventListener(kind, writeUrl, true);
    }
  }
  const isOther = isNew || String(player.data.epochs) !== String(data.epochs);
  player.data = data;
  draw(player);
  const epoch = data.epochs[data.at];
  choice.applyServerState(
    { epoch: data.at === data.epochs.length - 1 ? null : epoch },
    false,
    isOther,
  );
  show(player, chosenIndex());
}

export function remove() {
  if (player === null) return;
  clearInterval(player.timer);
  document.removeEventListener("epoch", player.follow);
  removeEventListener("popstate", takeFromUrl);
  for (const kind of ["pointerdown", "keydown", "focusin"]) {
    document.removeEventListener(kind, writeUrl, true);
  }
  player = null;
}

const takeFromUrl = () => choice.takeFromUrl();
const writeUrl = () => choice.writeUrl();
