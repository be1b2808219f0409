"""The URL and the browser's history: each choice and each page is one step, and is shown."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from playwright.sync_api import Error, Locator, Page, expect

from core.dataset import CLASS_NAMES
from tests.browser.conftest import TIMEOUT_MS, StartServer, Visit
from tests.harness import app
from tests.harness.server import APP, Server
from ui.state import PARAMETERS

STEPS = 24  # per walk
LAYERS = ("conv_layer_1", "pool_layer_2", "conv_layer_3", "pool_layer_4", "dense_layer_6")
CLASSES = [f"{label} {name}" for label, name in enumerate(CLASS_NAMES)]
# Choices of a few options by page, as the URL and then the page name them.
SEGMENTS: dict[str, dict[str, dict[str, str]]] = {
    "filter_explorer": {
        "layer": {layer: layer for layer in LAYERS},
        "panel": {name: name for name in ("numbers", "top images", "epochs")},
        "scale": {"map": "per map", "shared": "shared"},
    },
    "class_comparison": {
        "compare": {name: name for name in ("one filter", "all filters", "ten classes")}
    },
    "model_training": {"part": {name: name for name in ("training", "mistakes", "epochs")}},
    "dataset_gallery": {"split": {name: name for name in ("test", "train")}},
    "embedding": {
        "map": {name: name for name in ("neighbours", "PCA")},
        "colour": {name: name for name in ("class", "error")},
    },
    "ablation": {"off_gives": {name: name for name in ("0", "its mean")}},
}
# Select boxes by page: their labels and options.
SELECT_BOXES: dict[str, dict[str, tuple[str, list[str]]]] = {
    "class_comparison": {
        "class_a": ("First class", CLASSES),
        "class_b": ("Second class", CLASSES),
    },
    "dataset_gallery": {"class": ("Class", ["all", *CLASS_NAMES])},
}
MODELS = ["tuned", "tutorial"]
DEFAULTS = {name: parameter.default for name, parameter in PARAMETERS.items()} | {
    "layer": LAYERS[0]
}


# --- what the URL says, and what is shown ---------------------------------------------------------


def page_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def view_of(url: str) -> dict[str, str]:
    """Return the value of each parameter of a URL, the default for one that is not in it."""
    return DEFAULTS | dict(parse_qsl(urlsplit(url).query))


def assert_shown(page: Page) -> None:
    """Wait until the page shows what the URL says."""
    app.wait_until_complete(page)
    name, view = page_of(page.url), view_of(page.url)
    active = page.locator("[data-testid=stTopNavLink][aria-current=page]")
    expect(active).to_have_text(app.PAGES[name])
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value(view["model"])
    expect(app.sidebar(page).get_by_label("Test image", exact=True)).to_have_value(view["image"])
    alt = re.compile(rf"^test image {view['image']}, ")
    expect(app.sidebar(page).locator("img").first).to_have_attribute("alt", alt)
    is_flat = "dense" in view["layer"]
    for parameter, options in SEGMENTS.get(name, {}).items():
        if not (name == "filter_explorer" and is_flat and parameter in ("panel", "scale")):
            expect(segment(page, options[view[parameter]])).to_be_checked()
    for parameter, (label, options) in SELECT_BOXES.get(name, {}).items():
        if not (name == "class_comparison" and view["compare"] == "ten classes"):
            value = view[parameter]
            chosen = options[int(value)] if value.isdecimal() else value
            expect(page.get_by_role("combobox", name=label, exact=True)).to_have_value(chosen)
    SHOWN.get(name, lambda *_: None)(page, view)
    app.wait_until_idle(page)


def home_shown(page: Page, view: dict[str, str]) -> None:
    expect(page.get_by_role("heading", name="What the network sees")).to_be_visible()
    picture = app.main(page).get_by_role("img", name=f"test image {view['image']}, ").first
    expect(picture).to_be_visible()


def explorer_shown(page: Page, view: dict[str, str]) -> None:
    title = app.main(page).get_by_text(re.compile(rf"^All \d+ (maps|units) of {view['layer']}"))
    expect(title.first).to_contain_text(f"test image {view['image']}, ")
    expect(app.slider(page, "Filter")).to_have_value(view["filter"])
    unit = page.locator(".microscope-title")
    expect(unit).to_contain_text(view["layer"])
    if "dense" not in view["layer"]:
        expect(unit).to_contain_text(f"filter {view['filter']}, row ")
    if view["row"]:
        expect(unit).to_contain_text(f"row {view['row']}, column {view['col']}")


def comparison_shown(page: Page, view: dict[str, str]) -> None:
    expect(page.get_by_role("heading", name="Class comparison")).to_be_visible()
    if view["class_a"] == view["class_b"] or view["compare"] == "ten classes":
        return
    expect(app.slider(page, "Filter")).to_have_value(view["filter"])
    if view["compare"] == "one filter":
        rows = app.compared_images(page)
        expect(rows).to_have_count(2 * int(view["examples"]))
        expect(rows.first).to_contain_text(CLASS_NAMES[int(view["class_a"])])
        expect(rows.last).to_contain_text(CLASS_NAMES[int(view["class_b"])])
    else:
        expect(segment(page, view["layer"])).to_be_checked()


def gallery_shown(page: Page, view: dict[str, str]) -> None:
    expect(page.get_by_label(re.compile("^Page, of"))).to_have_value(view["page"])
    split, image = view["split"], view["image" if view["split"] == "test" else "train_image"]
    expect(app.main(page).get_by_text(f"{split.capitalize()} image {image}").first).to_be_visible()


def embedding_shown(page: Page, view: dict[str, str]) -> None:
    expect(app.main(page).get_by_text(f"Nearest to test image {view['image']}, ")).to_be_visible()


def ablation_shown(page: Page, view: dict[str, str]) -> None:
    off = [word for word in re.split("[:,;]", view["off"]) if word.isdecimal()]
    pressed = app.main(page).locator(".contact-sheet button[aria-pressed=true]")
    expect(pressed).to_have_count(len(off))


SHOWN: dict[str, Callable[[Page, dict[str, str]], None]] = {
    "": home_shown,
    "filter_explorer": explorer_shown,
    "class_comparison": comparison_shown,
    "dataset_gallery": gallery_shown,
    "embedding": embedding_shown,
    "ablation": ablation_shown,
}


# --- the history ----------------------------------------------------------------------------------


class History:
    """The entries of the browser's history, as they have to be."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.at, self.urls = entries(page)

    def assert_stepped(self) -> None:
        """Wait for one entry more, after which there is none."""
        self._wait(self.at + 1, self.at + 2)
        self.urls = [*self.urls[: self.at + 1], self.page.url]
        self.at += 1
        self.assert_settled()

    def assert_moved(self, delta: int) -> None:
        """Wait until Back or Forward has led to another entry."""
        self.at += delta
        self._wait(self.at, len(self.urls))
        assert self.page.url == self.urls[self.at]
        self.assert_settled()

    def assert_settled(self) -> None:
        """Wait until the page shows the URL; only the entry in view may have been replaced."""
        assert_shown(self.page)
        at, urls = entries(self.page)
        self.urls[self.at] = urls[at] if at < len(urls) else ""
        assert (at, urls) == (self.at, self.urls)

    def _wait(self, at: int, count: int) -> None:
        arrived = (
            "([at, count]) => navigation.currentEntry.index === at"
            " && navigation.entries().length === count"
        )
        try:
            self.page.wait_for_function(arrived, arg=[at, count])
        except Error as error:
            error.add_note(f"not entry {at} of {count}, but {entries(self.page)}")
            raise


def entries(page: Page) -> tuple[int, list[str]]:
    """Return the place of the entry in view, and the URLs of all entries."""
    at, urls = page.evaluate(
        "[navigation.currentEntry.index, navigation.entries().map(entry => entry.url)]"
    )
    return at, urls


# --- steps of a walk ------------------------------------------------------------------------------


def segment(page: Page, name: str) -> Locator:
    return app.main(page).get_by_role("radio", name=name, exact=True)


def leads_elsewhere(href: str, url: str) -> bool:
    """Return whether a link inside of the app shows another view than the URL."""
    link = urlsplit(href)
    changed = dict(parse_qsl(link.query, keep_blank_values=True))
    other = view_of(url) | {name: value or DEFAULTS[name] for name, value in changed.items()}
    return (page_of(href), other) != (page_of(url), view_of(url))


def choices(page: Page, rng: random.Random) -> dict[str, Callable[[], None]]:
    """Return the choices that the page offers, by name; each changes the view."""
    name, view = page_of(page.url), view_of(page.url)
    offered: dict[str, Callable[[], None]] = {}

    def other(options: list[str], shown: str) -> str:
        return rng.choice([option for option in options if option != shown])

    title = other(list(app.PAGES.values()), app.PAGES[name])
    offered["page " + title] = lambda: app.click_in_navigation(page, title)
    model = other(MODELS, view["model"])
    offered["model " + model] = lambda: app.select(page, "Model", model)
    offered["random image"] = app.sidebar(page).get_by_role("button", name="Random image").click
    links = app.main(page).locator("a[href]:not([download])")
    hrefs = links.evaluate_all(
        "links => links.map("
        "  link => link.target !== '_blank' && link.checkVisibility() && link.href)"
    )
    origin = urljoin(page.url, "/")
    leading = [
        number
        for number, href in enumerate(hrefs)
        if href and href.startswith(origin) and leads_elsewhere(href, page.url)
    ]
    if leading:
        number = rng.choice(leading)
        offered[f"link {hrefs[number]}"] = links.nth(number).click
        # Thumbnails and bars are links, too, and there are many of them.
        another = rng.choice(leading)
        offered[f"another link {hrefs[another]}"] = links.nth(another).click
    for parameter, options in SEGMENTS.get(name, {}).items():
        shown = options[view[parameter]]
        option = other(list(options.values()), shown)
        if segment(page, option).count():
            offered[f"{parameter} {option}"] = segment(page, option).click
    for parameter, (label, names) in SELECT_BOXES.get(name, {}).items():
        if page.get_by_role("combobox", name=label, exact=True).count():
            value = view[parameter]
            option = other(names, names[int(value)] if value.isdecimal() else value)
            offered[f"{parameter} {option}"] = lambda label=label, option=option: app.select(
                page, label, option
            )
    if name == "filter_explorer":
        places = [rng.random(), rng.random()]
        offered[f"a unit of the sheet {places}"] = lambda: click_in_sheet(page, places)
    if name == "ablation":
        switches = app.main(page).locator(".contact-sheet button")
        number = rng.randrange(switches.count())
        offered[f"switch {number}"] = switches.nth(number).click
    return offered


def click_in_sheet(page: Page, places: list[float]) -> None:
    """Click on a map of the feature sheet that is not the chosen one."""
    canvas = page.locator(".feature-sheet canvas")
    canvas.scroll_into_view_if_needed()
    before = page.url
    box = canvas.bounding_box()
    assert box
    while page.evaluate("location.href") == before:  # between two maps, a click does nothing
        places = [(place + 0.0137) % 1 for place in places]
        page.mouse.click(box["x"] + places[0] * box["width"], box["y"] + places[1] * box["height"])


@pytest.mark.parametrize("seed", range(5))
def test_each_choice_is_one_step_and_shown(server: Server, visit: Visit, seed: int) -> None:
    rng = random.Random(seed)
    pages = list(app.PAGES)
    page = visit(f"{server.url}/{pages[(3 + seed) % len(pages)]}")
    history = History(page)
    history.assert_settled()
    walk: list[str] = []
    try:
        for _ in range(STEPS):
            moves = [delta for delta in (-1, 1) if 0 <= history.at + delta < len(history.urls)]
            if moves and rng.random() < 0.35:
                delta = rng.choice(moves)
                walk.append(f"move {delta}")
                (page.go_back if delta < 0 else page.go_forward)(wait_until="commit")
                history.assert_moved(delta)
            else:
                offered = choices(page, rng)
                name = rng.choice(list(offered))
                walk.append(name)
                offered[name]()
                history.assert_stepped()
    except BaseException as error:
        error.add_note("\n".join(["walk:", *walk, "urls:", *history.urls, f"at {history.at}"]))
        raise


# --- moves that are no steps ----------------------------------------------------------------------


def drag(page: Page, slider: Locator, shares: list[float]) -> None:
    """Drag a slider's handle to places of it, 0 to 1."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + shares[0] * box["width"], y)
    page.mouse.down()
    for share in shares[1:]:
        page.mouse.move(box["x"] + share * box["width"], y, steps=5)
    page.mouse.up()


@pytest.mark.parametrize(
    "address", ["filter_explorer", "filter_explorer?panel=top+images", "class_comparison"]
)
def test_dragging_the_filter_is_no_step(server: Server, visit: Visit, address: str) -> None:
    page = visit(f"{server.url}/{address}")
    history = History(page)
    drag(page, app.slider(page, "Filter"), [0.02, 0.6, 0.3])
    app.assert_parameters(page, filter=app.slider(page, "Filter").input_value())
    history.assert_settled()


def test_stepping_the_image_is_no_step(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?filter=3")
    history = History(page)
    for image in (2001, 2002, 2003):
        app.sidebar(page).get_by_role("button", name="Increment").click()
        app.assert_parameters(page, image=image, filter=3)
        history.assert_settled()
    box = app.sidebar(page).get_by_label("Test image", exact=True)
    for image in (2002, 2001):
        box.press("ArrowDown")
        app.assert_parameters(page, image=image)
        history.assert_settled()


def test_stepping_the_gallery_and_the_examples_is_no_step(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/dataset_gallery")
    history = History(page)
    app.main(page).get_by_role("button", name="Increment").first.click()
    app.assert_parameters(page, page=2)
    history.assert_settled()
    app.click_in_navigation(page, "Class comparison")
    history.assert_stepped()
    app.slider(page, "Images of each").press("ArrowRight")
    app.assert_parameters(page, examples=3)
    history.assert_settled()


def test_parts_and_pages_keep_what_was_stepped(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/dataset_gallery?split=train&page=3&train_image=7")
    history = History(page)
    history.assert_settled()
    segment(page, "test").click()
    history.assert_stepped()
    app.click_in_navigation(page, "Class comparison")
    history.assert_stepped()
    app.slider(page, "Images of each").press("ArrowRight")
    app.assert_parameters(page, examples=3)
    history.assert_settled()
    for part in ("all filters", "one filter"):
        segment(page, part).click()
        history.assert_stepped()
    expect(app.slider(page, "Images of each")).to_have_value("3")
    app.click_in_navigation(page, "Dataset gallery")
    history.assert_stepped()
    segment(page, "train").click()
    history.assert_stepped()
    view = view_of(page.url)
    assert (view["page"], view["train_image"], view["examples"]) == ("3", "7", "3")
    for _ in range(3):
        page.go_back()
        history.assert_moved(-1)


def test_another_class_begins_on_a_page_that_it_has(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/dataset_gallery?page=100")
    history = History(page)
    app.select(page, "Class", "Bag")
    history.assert_stepped()


def test_hovering_is_no_step(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer")
    history = History(page)
    url, title = page.url, page.locator(".microscope-title")
    canvas = page.locator(".feature-sheet canvas")
    box = canvas.bounding_box()
    assert box
    shown = title.inner_text()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"], steps=10)
    expect(title).not_to_have_text(shown)
    page.mouse.move(5, 5)
    expect(title).to_have_text(shown)
    history.assert_settled()
    assert page.url == url


@pytest.mark.parametrize("address", ["filter_explorer?panel=epochs", "model_training?part=epochs"])
def test_playing_is_no_step(server: Server, visit: Visit, address: str) -> None:
    page = visit(f"{server.url}/{address}")
    history = History(page)
    before = page.url
    page.get_by_role("button", name="▶ play").click()
    page.wait_for_function("/[?&]epoch=\\d/.test(location.search)")  # for less than a second
    expect(page.get_by_role("button", name="▶ play")).to_be_visible()  # it has come to the end
    expect(page).to_have_url(before)
    history.assert_settled()


# --- pages and links ------------------------------------------------------------------------------

SCROLLED = """() => {
    let element = document.querySelector("[data-testid=stMainBlockContainer]"), top = 0;
    for (; element; element = element.parentElement) top = Math.max(top, element.scrollTop);
    return top;
}"""


def to_the_end(page: Page) -> None:
    page.mouse.move(900, 400)
    while not page.evaluate(SCROLLED):
        page.mouse.wheel(0, 5000)


def test_a_new_page_starts_at_its_top(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/model_training")
    for name in ("Dataset gallery", "Filter explorer", "Model and training"):
        to_the_end(page)
        app.go_to(page, name)
        assert page.evaluate(SCROLLED) == 0
    # By a link in the page, too.
    app.go_to(page, "Home")
    page.set_viewport_size({"width": 1280, "height": 500})
    to_the_end(page)
    app.main(page).get_by_role("link", name="Unit by unit").last.click()
    expect(page).to_have_url(re.compile("/filter_explorer"))
    app.wait_until_complete(page)
    assert page.evaluate(SCROLLED) == 0


def test_a_choice_leaves_the_page_where_it_is(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/dataset_gallery")
    thumbnail = page.get_by_role("link", name="image 74, ")
    thumbnail.scroll_into_view_if_needed()
    to_the_end(page)
    thumbnail.scroll_into_view_if_needed()
    before = page.evaluate(SCROLLED)
    thumbnail.click()
    app.assert_parameters(page, image=74)
    assert_shown(page)
    assert page.evaluate(SCROLLED) == before > 0


def test_a_thumbnail_keeps_all_other_choices(server: Server, visit: Visit) -> None:
    kept = {"class_b": "6", "off": "conv_layer_1:3,17", "filter": "5", "scale": "shared"}
    query = "&".join(f"{name}={value}" for name, value in kept.items())
    page = visit(f"{server.url}/model_training?part=mistakes&true=Coat&predicted=Shirt&{query}")
    history = History(page)
    first = page.get_by_role("link", name=re.compile(r"^image \d+, Coat, \d+%")).first
    number = re.search(r"\d+", first.get_attribute("aria-label") or "")
    assert number
    first.click()
    expect(page).to_have_url(re.compile("/filter_explorer"))
    history.assert_stepped()
    for expected in (number[0], "3"):
        view = view_of(page.url)
        assert {name: view[name] for name in kept} == kept
        assert view["image"] == expected
        if expected != "3":
            app.click_in_navigation(page, "Dataset gallery")
            history.assert_stepped()
            page.get_by_role("link", name="image 3, Trouser").click()
            history.assert_stepped()
    app.go_to(page, "Class comparison")
    app.assert_comparison(page, 5)
    expect(page.get_by_role("combobox", name="Second class")).to_have_value("6 Shirt")
    app.go_to(page, "Switch filters off")
    ablation_shown(page, view_of(page.url))


def test_links_do_not_load_the_document_again(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    page.evaluate("window.marker = 1")
    app.main(page).locator(".maps a").first.click()
    expect(page).to_have_url(re.compile("/filter_explorer"))
    assert_shown(page)
    app.main(page).get_by_role("link", name="filter 33").click()
    app.assert_map(page, "conv_layer_1", 33)
    app.go_to(page, "Dataset gallery")
    page.get_by_role("link", name="image 8, Sandal").click()
    app.assert_image(page, "test image 8, Sandal")
    app.go_to(page, "Map of images")
    page.locator(".contact-sheet a").first.click()
    assert_shown(page)
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile("/dataset_gallery"))
    assert_shown(page)
    assert page.evaluate("window.marker") == 1


def test_a_link_to_the_view_itself_is_no_step(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/?filter=7")
    history = History(page)
    link = app.main(page).get_by_role("link", name="As in the tutorial: test image 2000")
    link.click()
    history.assert_settled()
    app.sidebar(page).get_by_role("button", name="Random image").click()
    history.assert_stepped()
    link.click()
    history.assert_stepped()
    assert urlsplit(page.url).query == "filter=7"


@pytest.mark.parametrize("menu", ["Share this view", "Download"])
@pytest.mark.parametrize("title", ["Class comparison", "Home"])
def test_with_a_menu_open_a_link_leads_to_its_page(
    server: Server, visit: Visit, menu: str, title: str
) -> None:
    for _ in range(3):
        page = visit(f"{server.url}/filter_explorer")
        history = History(page)
        page.get_by_role("button", name=menu).click()
        body = page.get_by_test_id("stPopoverBody")
        content = "stCode" if menu == "Share this view" else "stDownloadButton"
        expect(body.get_by_test_id(content).first).to_be_visible()
        app.wait_until_idle(page)
        app.click_in_navigation(page, title)
        history.assert_stepped()
        expect(body).to_have_count(0)


def test_on_a_phone_a_link_of_the_drawer_closes_it(server: Server, visit: Visit) -> None:
    page = visit(server.url, viewport={"width": 390, "height": 844})
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Map of images").click()
    expect(page).to_have_url(re.compile("/embedding"))
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    expect(page.get_by_role("heading", name="Map of images")).to_be_in_viewport()
    assert urlsplit(page.url).path == "/embedding"


def test_an_unknown_page_is_named_on_the_first_page(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/nosuchpage?image=42")
    note = app.main(page).get_by_text("There is no page “nosuchpage”: showing Home.")
    expect(note).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(f"{server.url}/?image=42")
    assert_shown(page)
    app.go_to(page, "Dataset gallery")
    expect(note).to_have_count(0)


# --- a choice, and a click right after it ---------------------------------------------------------

REPETITIONS = 20


@pytest.mark.parametrize("address", ["filter_explorer", "filter_explorer?panel=top+images"])
def test_a_click_right_after_a_drag_is_not_lost(server: Server, visit: Visit, address: str) -> None:
    page = visit(f"{server.url}/{address}")
    picture = app.sidebar(page).locator("img").first
    history = History(page)
    for repetition in range(REPETITIONS):
        before = picture.get_attribute("alt") or ""
        drag(page, app.slider(page, "Filter"), [0.02, 0.1 + 0.04 * repetition])
        filter_ = app.slider(page, "Filter").input_value()
        app.sidebar(page).get_by_role("button", name="Random image").click()
        expect(picture).not_to_have_attribute("alt", before)
        app.assert_parameters(page, filter=filter_)
        # The drag has replaced the entry before.
        history.urls[history.at] = entries(page)[1][history.at]
        assert view_of(history.urls[history.at])["filter"] == filter_
        history.assert_stepped()
        assert view_of(page.url)["filter"] == filter_


def test_a_menu_right_after_a_drag_is_of_the_filter_shown(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer")
    for repetition in range(REPETITIONS):
        drag(page, app.slider(page, "Filter"), [0.02, 0.1 + 0.04 * repetition])
        filter_ = app.slider(page, "Filter").input_value()
        page.get_by_role("button", name="Download").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Numbers (CSV)").click()
        assert download.value.suggested_filename.endswith(f"_filter{filter_}.csv")
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


# --- cold deep links ------------------------------------------------------------------------------


@pytest.fixture
def plain_script(tmp_path: Path) -> Path:
    """The app's script as a launcher sees it that does not know st.App: without a literal call."""
    text = APP.read_text()
    literal = re.search(r"^app = st\.App\((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    assert literal
    body = literal[1].replace("\n", "\n    ")
    text = text.replace(
        literal[0], f"def make_app():\n    return st.App({body})\n\n\napp = make_app()"
    )
    for folder in ("pages", "ui", "core", "server", "assets", "static", ".streamlit"):
        (tmp_path / folder).symlink_to(APP.parent / folder)
    script = tmp_path / APP.name
    script.write_text(text)
    return script


@pytest.mark.parametrize("address", app.PAGES)
@pytest.mark.parametrize("is_plain", [False, True])
def test_a_cold_deep_link_shows_frame_and_page(
    start_server: StartServer, visit: Visit, plain_script: Path, is_plain: bool, address: str
) -> None:
    server = start_server(plain_script if is_plain else APP)
    page = visit(f"{server.url}/{address}?image=42", complete=False)
    expect(page.get_by_test_id("stTopNavLink")).to_contain_text(
        list(app.PAGES.values()), timeout=2 * TIMEOUT_MS
    )
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    assert_shown(page)
    assert parse_qsl(urlsplit(page.url).query) == [("image", "42")]
