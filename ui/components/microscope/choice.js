// What a student chooses here: a filter, and in the explorer the pinned unit of its map.
//
// A choice shows at once and asks nothing of the server where the browser has all that it takes. It
// is in the address after a moment, and the server hears of it when it has something to draw for it,
// or before the student turns to anything else on the page, which may need it: a download, a link.

const REST = 150; // ms without another choice before it goes into the address
const PATIENCE = 1000; // ms for the server to answer

export class Choice {
  #defaults;
  #limits;
  #changed;
  #send = null;
  #tells = false; // whether the server has something to draw for it
  #told = []; // as text: the last that the server has answered, and what it was told since
  #resting = null; // a timer, while a choice is not yet in the address
  #heard = Promise.withResolvers(); // that the server knows the last choice

  /**
   * @param defaults what is chosen first and stays out of the address: a whole number or null by
   *   the name of its URL parameter.
   * @param limits gives, by the same names, how many there are to choose from just now.
   * @param changed is called after each change that is not the server's.
   */
  constructor(defaults, limits, changed) {
    this.values = this.#defaults = defaults;
    this.#limits = limits;
    this.#changed = changed;
  }

  /** Begins a page, whose server hears of choices by `send`. */
  begin(send) {
    this.#send = send;
    this.#told = [];
  }

  /** Hears what the server knows; where that is what it was told, what was chosen since is newer.
   * Not so for `others` than were chosen from before. */
  hear(values, tells, others) {
    this.#tells = tells;
    const said = JSON.stringify(values);
    const answered = others ? -1 : this.#told.indexOf(said);
    if (answered < 0) this.values = values;
    this.#told = answered < 0 ? [said] : this.#told.slice(answered);
    if (this.isKnown) this.#heard.resolve();
  }

  /** Chooses; `isNew` makes it a step that Back undoes. */
  set(values, isNew = false) {
    const before = this.#text;
    this.values = { ...this.values, ...values };
    if (this.#text === before) return;
    this.#changed();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#rest(), REST);
    if (isNew) this.#write(true);
  }

  /** Takes the choice from the address, where Back or Forward has brought another one. */
  takeFromAddress() {
    clearTimeout(this.#resting);
    this.#resting = null;
    const given = new URL(location).searchParams;
    this.values = { ...this.values };
    for (const [name, limit] of Object.entries(this.#limits())) {
      const text = given.get(name) ?? "";
      const isThere = /^\d{1,6}$/.test(text) && Number(text) < limit;
      this.values[name] = isThere ? Number(text) : this.#defaults[name];
    }
    this.#told = [this.#text]; // Streamlit tells it
    this.#changed();
  }

  /** Whether the server knows the last choice. */
  get isKnown() {
    return this.#told.length === 0 || this.#told[0] === this.#text;
  }

  /** Waits until the server knows it, but not for long. */
  async untilKnown() {
    this.tell();
    const tired = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    await Promise.race([this.#heard.promise, tired]);
    this.#told = [this.#text];
  }

  /** Lets the server know of the last choice, if it does not. */
  tell() {
    if (this.#resting !== null) this.#rest();
    if (this.#told.length === 0 || this.#text === this.#told.at(-1)) return;
    this.#told.push(this.#text);
    this.#heard = Promise.withResolvers();
    this.#send(this.values);
  }

  get #text() {
    return JSON.stringify(this.values);
  }

  #rest() {
    clearTimeout(this.#resting);
    this.#resting = null;
    this.#write(false);
    if (this.#tells) this.tell();
  }

  #write(isNew) {
    const url = new URL(location);
    for (const [name, value] of Object.entries(this.values)) {
      if (value === this.#defaults[name]) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (url.href === location.href) return;
    if (isNew) history.pushState({}, "", url);
    else history.replaceState({}, "", url);
  }
}
