// Links inside of the app change the URL and let Streamlit show what it says, as Back and Forward
// do: the document is not loaded again, all parameters of the view stay, and each link is one step of
// the browser's history.

// What stays out of the URL, by parameter. navigation.py puts the constant DEFAULTS before this text.
let defaults = DEFAULTS;
let shownPage = null; // the page that the server has drawn last

const DRAWER_BELOW_PX = 768; // Streamlit's sidebar covers the page of narrower windows
const REPEAT_AFTER_MS = 700;
const MAX_REPEATS = 5;

// The app's own folder: each page is a file in it, the first one is the folder itself.
const folder = () => location.pathname.replace(/[^/]*$/, "");

/** Returns the link that an event happened on, if it leads to a page of the app. */
function linkOf(event) {
  const link = event.composedPath().find((element) => element.localName === "a" && element.href);
  if (!link || link.hasAttribute("download") || !["", "_self"].includes(link.target)) return null;
  const url = new URL(link.href, document.baseURI);
  const isPage = url.origin === location.origin && /^[\w-]*$/.test(pageOf(url) ?? "/");
  return isPage && !url.hash ? link : null;
}

/** Returns the name of the page that a URL leads to, "" for the first; null outside of the app. */
const pageOf = (url) =>
  url.pathname.startsWith(folder()) ? url.pathname.slice(folder().length) : null;

// The address that the page gave a link, by link, and the one that it was completed to.
const addresses = new WeakMap();

/** Returns the link's URL with the other parameters of the view; an empty one takes one out, as does
 * a default. */
function withView(link) {
  const known = addresses.get(link);
  const own = known?.completed === link.href ? known.own : link.getAttribute("href");
  const url = new URL(own, document.baseURI);
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of url.searchParams) {
    if (value === "" || value === defaults[name]) parameters.delete(name);
    else parameters.set(name, value);
  }
  url.search = parameters;
  addresses.set(link, { own, completed: url.href });
  return url;
}

/** Shows what a URL says, which is one step of the history. */
function open(url) {
  if (url.href === location.href) return;
  const isOtherPage = url.pathname !== location.pathname;
  history.pushState({}, "", url);
  askForPage();
  if (!isOtherPage) return;
  toTop();
  setTimeout(() => askAgain(url.href, MAX_REPEATS), REPEAT_AFTER_MS);
}

const askForPage = () => dispatchEvent(new PopStateEvent("popstate", { state: {} }));

/** Asks once more if the page does not come: a menu that the click has closed may have asked the
 * server for the earlier page a moment later. */
function askAgain(href, repeats) {
  if (location.href !== href || shownPage === pageOf(location) || repeats === 0) return;
  askForPage();
  setTimeout(() => askAgain(href, repeats - 1), REPEAT_AFTER_MS);
}

/** Scrolls whatever contains the page, and scrolls, to its top. */
function toTop() {
  let element = document.querySelector("[data-testid=stMainBlockContainer]");
  for (; element; element = element.parentElement) element.scrollTo?.({ top: 0 });
}

/** Closes the sidebar after a link in it, where it covers the page, as Streamlit's own links do. */
function closeDrawer(link) {
  if (innerWidth >= DRAWER_BELOW_PX || !link.closest("[data-testid=stSidebar]")) return;
  document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
}

function follow(event) {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = linkOf(event);
  if (!link) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const url = withView(link);
  link.setAttribute("href", addresses.get(link).own);
  // A menu that this click closes asks the server for the page in view; this request comes after.
  setTimeout(() => open(url));
  closeDrawer(link);
}

/** Completes a link's own address, for a new tab or to be copied. */
function complete(event) {
  const link = linkOf(event);
  if (link) link.href = withView(link).href;
}

function replaceSuperfluous(superfluous) {
  const url = new URL(location);
  for (const [name, [value, replacement]] of Object.entries(superfluous)) {
    if (value !== null && url.searchParams.getAll(name).at(-1) !== value) continue;
    if (replacement === "") url.searchParams.delete(name);
    else url.searchParams.set(name, replacement);
  }
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}

/**
 * Lets each request carry the URL's parameters. Streamlit 1.67 carries those that it wrote itself last,
 * and not what a component has written since. Its public way, a "popstate" event, costs a run of the
 * whole page; choice.js takes it if this one fails.
 */
function sendUrlWithRequests() {
  const root = document.querySelector("[data-testid=stApp]");
  const key = Object.keys(root ?? {}).find((name) => name.startsWith("__reactFiber$"));
  let fiber = root?.[key];
  while (fiber && typeof fiber.stateNode?.getQueryString !== "function") fiber = fiber.return;
  if (fiber) fiber.stateNode.getQueryString = () => location.search.replace(/^\?/, "");
  (globalThis.seeTheFilters ??= {}).requestsCarryUrl = Boolean(fiber);
}

const listeners = { click: follow, pointerdown: complete, focusin: complete };

export default function ({ data }) {
  const view = JSON.parse(new TextDecoder().decode(data));
  defaults = { ...DEFAULTS, ...view.defaults };
  shownPage = view.page;
  sendUrlWithRequests();
  replaceSuperfluous(view.superfluous);
  for (const [kind, listener] of Object.entries(listeners)) {
    document.addEventListener(kind, listener, true); // the same listener is added once
  }
  return () => {
    for (const [kind, listener] of Object.entries(listeners)) {
      document.removeEventListener(kind, listener, true);
    }
  };
}
