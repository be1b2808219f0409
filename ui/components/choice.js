// What a visitor chooses in the browser: a filter and the pinned unit of its map, or an epoch.
//
// A choice shows at once where the browser has all that it takes, and is in the URL after a moment.
// Each request to the server carries the URL; a choice asks for a run of its own only if the server
// has something to draw for it.

const REST_MS = 150; // without another choice before it goes into the URL
// For a click elsewhere to be answered first: of two events at the same moment Streamlit makes one
// run, and drops one of them.
const AFTER_CLICK_MS = 500;

/** Whether Streamlit's requests carry the URL as it is; navigation.js sees to that. */
const requestsCarryUrl = () => globalThis.seeTheFilters?.requestsCarryUrl;

/** Lets Streamlit run the page for the URL, as after Back and Forward. */
const showUrl = () => dispatchEvent(new PopStateEvent("popstate", { state: history.state }));

export class Choice {
  #defaults;
  #limits;
  #changed;
  #send = null;
  #isDrawnByServer = false;
  #sent = []; // as text: the last choice that the server has answered, and those sent since
  #timer = null; // while the server has not been asked
  #isUrlNewer = false; // than what Streamlit knows

  /**
   * @param defaults what is chosen first and stays out of the URL: a whole number or null by the name
   *   of its URL parameter.
   * @param limits returns, by the same names, how many there are to choose from.
   * @param changed is called after each change that does not come from the server.
   */
  constructor(defaults, limits, changed) {
    this.values = this.#defaults = defaults;
    this.#limits = limits;
    this.#changed = changed;
  }

  /** Begins a page, whose server gets choices by `send`. */
  begin(send) {
    this.#send = send;
    this.#sent = [];
  }

  /**
   * Applies what the server knows; where that is a choice that was sent, later choices are newer.
   * @param values the server's choice.
   * @param isDrawnByServer whether the server draws something for each choice.
   * @param isOther whether there is another set to choose from than before.
   */
  applyServerState(values, isDrawnByServer, isOther) {
    this.#isDrawnByServer = isDrawnByServer;
    const text = JSON.stringify(values);
    const answered = isOther ? -1 : this.#sent.indexOf(text);
    if (answered < 0 && (isOther || this.#timer === null)) this.values = values;
    this.#sent = answered < 0 ? [text] : this.#sent.slice(answered);
  }

  /** Chooses; `isStep` makes it a step that Back undoes. */
  set(values, isStep = false) {
    const before = this.#text;
    this.values = { ...this.values, ...values };
    if (this.#text === before) return;
    this.#changed();
    this.#wait(REST_MS);
    if (isStep) this.#write(true);
  }

  /** Takes the choice from the URL, where Back, Forward or a link has brought another one. */
  takeFromUrl() {
    this.#wait(null);
    this.#isUrlNewer = false;
    const given = new URL(location).searchParams;
    this.values = { ...this.values };
    for (const [name, limit] of Object.entries(this.#limits())) {
      const text = given.get(name) ?? "";
      const exists = /^\d{1,6}$/.test(text) && Number(text) < limit;
      this.values[name] = exists ? Number(text) : this.#defaults[name];
    }
    this.#sent = [this.#text]; // Streamlit sends it
    this.#changed();
  }

  /** Writes the last choice into the URL, before anything else asks the server. */
  writeUrl() {
    if (this.#timer !== null) {
      this.#write(false);
      this.#wait(AFTER_CLICK_MS);
    }
    if (this.#isUrlNewer && !requestsCarryUrl()) showUrl();
  }

  get #text() {
    return JSON.stringify(this.values);
  }

  #wait(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = milliseconds === null ? null : setTimeout(() => this.#rest(), milliseconds);
  }

  #rest() {
    this.#timer = null;
    this.#write(false);
    if (this.#isDrawnByServer) this.#sendToServer();
  }

  #sendToServer() {
    if (this.#sent.length === 0 || this.#text === this.#sent.at(-1)) return;
    this.#sent.push(this.#text);
    if (requestsCarryUrl()) this.#send(this.values);
    else showUrl();
  }

  #write(isStep) {
    const url = new URL(location);
    for (const [name, value] of Object.entries(this.values)) {
      if (value === this.#defaults[name]) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (url.href === location.href) return;
    this.#isUrlNewer = true;
    if (isStep) history.pushState({}, "", url);
    else history.replaceState({}, "", url);
  }
}
