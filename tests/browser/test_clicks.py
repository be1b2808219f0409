"""A click acts on what the pointer has shown, whatever the device scale factor."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import Server

SCALES = (1, 1.25, 1.5, 2, 3)
# At this width some titles of the microscope take two lines, which moves the map below them.
WIDTH = 1100
CELLS = 26  # rows and columns of a map of conv_layer_1
GAP = 4  # CSS pixels between two maps of the feature sheet
CLICKS = 4  # per device scale factor

Place = tuple[float, float]
Unit = tuple[int, int, int]  # filter, row, column


def each_scale(page: Page, canvas: Locator) -> Iterator[float]:
    """Yield the device scale factors, each once the page has drawn a canvas for it."""
    session = page.context.new_cdp_session(page)
    for number, scale in enumerate(SCALES):
        # Another width, because a canvas is drawn again when its size changes.
        size = {"width": WIDTH + 2 * number, "height": 800}
        metrics = {**size, "deviceScaleFactor": scale, "mobile": False}
        session.send("Emulation.setDeviceMetricsOverride", metrics)
        page.wait_for_function(
            """([canvas, scale]) => devicePixelRatio === scale &&
                Math.abs(canvas.getBoundingClientRect().width * scale - canvas.width) < 2""",
            arg=[canvas.element_handle(), scale],
        )
        yield scale


def box_of(locator: Locator) -> list[float]:
    """Return left, top, width and height in CSS pixels, with their fractions."""
    box: list[float] = locator.evaluate(
        """element => {
            const {x, y, width, height} = element.getBoundingClientRect();
            return [x, y, width, height];
        }"""
    )
    return box


def click(page: Page) -> None:
    """Click where the mouse is, without moving it."""
    page.mouse.down()
    page.mouse.up()


def unit_shown(page: Page) -> Unit:
    """Return the unit that the microscope names."""
    title = page.locator(".microscope-title").inner_text()
    match = re.fullmatch(r"conv_layer_1, filter (\d+), row (\d+), column (\d+)", title)
    assert match, title
    return int(match[1]), int(match[2]), int(match[3])


def unit_pinned(page: Page) -> Unit:
    """Return the unit in the address, where a click puts it at once."""
    query = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    return int(query.get("filter", 0)), int(query["row"]), int(query["col"])


def place_in_sheet(page: Page, rng: np.random.Generator) -> Place:
    """Return a place just beyond the edges of a cell, in one of the first maps of the sheet."""
    left, top, _, _ = box_of(page.locator(".feature-sheet canvas"))
    _, _, side, height = box_of(page.locator(".feature-sheet .chosen"))
    left, top = left + GAP, top + GAP + height - side  # below the map's number
    column, row, col = rng.integers((0, 1, 1), (8, CELLS, CELLS))
    x, y = rng.uniform(0.01, 0.6, 2)
    return left + column * (side + GAP) + col / CELLS * side + x, top + row / CELLS * side + y


def place_in_map(page: Page, rng: np.random.Generator) -> Place:
    """Return a place just beyond the edges of a cell, in the microscope's map."""
    left, top, width, height = box_of(page.get_by_role("application"))
    # Rows that stay below the pointer when the title above takes another line, or one less.
    row, col = rng.integers((8, 2), (20, CELLS))
    x, y = rng.uniform(0.01, 0.6, 2)
    return left + col / CELLS * width + x, top + row / CELLS * height + y


def test_a_click_pins_the_unit_shown(server: Server, visit: Visit) -> None:
    rng = np.random.default_rng(0)
    page = visit(f"{server.url}/filter_explorer")
    for scale in each_scale(page, page.locator(".feature-sheet canvas")):
        for place_in in (place_in_sheet, place_in_map):
            for _ in range(CLICKS):
                page.mouse.move(*place_in(page, rng))
                shown = unit_shown(page)
                click(page)
                assert (scale, place_in, unit_pinned(page)) == (scale, place_in, shown)
        page.mouse.move(5, 5)
        assert unit_shown(page) == shown


def test_other_ways_to_click_pin_the_unit_shown(server: Server, visit: Visit) -> None:
    rng = np.random.default_rng(0)
    page = visit(f"{server.url}/filter_explorer", device_scale_factor=1.25, has_touch=True)
    session = page.context.new_cdp_session(page)
    for _ in range(CLICKS):
        x, y = place_in_sheet(page, rng)
        # Playwright's own tap is at whole pixels.
        for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        pinned = unit_pinned(page)
        assert unit_shown(page) == pinned
        page.mouse.move(x, y)
        assert unit_shown(page) == pinned
    # A screen reader clicks without a pointer.
    x, y = map(round, place_in_sheet(page, rng))
    page.locator(".feature-sheet").dispatch_event("click", {"clientX": x, "clientY": y})
    pinned = unit_pinned(page)
    page.mouse.move(x, y)
    assert unit_shown(page) == pinned

    # A mouse that rests while the page scrolls is over another unit, which a click shows and pins.
    canvas = page.locator(".feature-sheet canvas")
    _, top, _, _ = box_of(canvas)
    page.mouse.wheel(0, 10)
    page.wait_for_function(
        "([canvas, top]) => canvas.getBoundingClientRect().top === top - 10",
        arg=[canvas.element_handle(), top],
    )
    click(page)
    assert unit_pinned(page) == unit_shown(page) != pinned


def image_shown(page: Page) -> str:
    """Return what the card of the map of images names, as in "image 3, Trouser"."""
    return page.locator(".image-map .card b").inner_text()


def place_between_images(page: Page, rng: np.random.Generator) -> tuple[Place, Place]:
    """Return two places closer than a click may move, with different images."""
    left, top, width, height = box_of(page.locator(".stage > canvas"))
    while True:
        x, y = rng.uniform(0.3, 0.7, 2)
        first = left + x * width, top + y * height
        second = first[0] + 2.1, first[1] - 2.1
        page.mouse.move(*second)
        other = image_shown(page)
        page.mouse.move(*first)
        if image_shown(page) != other:
            return first, second


def place_in_contact_sheet(page: Page, rng: np.random.Generator) -> Place:
    """Return a place within a pixel of two edges of an image."""
    cells = page.locator(".contact-sheet a")
    cell = cells.nth(int(rng.integers(cells.count())))
    cell.scroll_into_view_if_needed()
    left, top, width, height = box_of(cell)
    x, y = rng.uniform(0.01, 0.99, 2)
    x, y = rng.choice([(left + x, top + y), (left + width - x, top + height - y)])
    return x, y


def test_a_click_opens_the_image_shown(server: Server, visit: Visit) -> None:
    rng = np.random.default_rng(0)
    page = visit(f"{server.url}/embedding")
    for _ in each_scale(page, page.locator(".stage > canvas")):
        # On the map, with a small move while the button is down.
        _, second = place_between_images(page, rng)
        shown = image_shown(page)
        page.mouse.down()
        page.mouse.move(*second)
        page.mouse.up()
        app.assert_image(page, f"test {shown}")
        app.wait_until_idle(page)
        # In the contact sheet below.
        page.mouse.move(*place_in_contact_sheet(page, rng))
        name = page.locator(".contact-sheet a:hover").get_attribute("aria-label")
        assert name
        click(page)
        app.assert_image(page, "test " + name.partition(", predicted")[0])
        app.wait_until_idle(page)


def test_dragging_and_zooming_point_at_what_is_then_under_the_mouse(
    server: Server, visit: Visit
) -> None:
    page = visit(f"{server.url}/embedding", device_scale_factor=1.25)
    canvas = page.locator(".stage > canvas")
    left, top, width, height = box_of(canvas)
    card = page.locator(".image-map .card")
    # The whole map stays where it is; the mouse moves on.
    x, y = left + 0.4 * width, top + 0.5 * height
    page.mouse.move(x, y)
    before = image_shown(page)
    page.mouse.down()
    page.mouse.move(x + 60, y)
    page.mouse.up()
    shown = image_shown(page)
    assert shown != before
    click(page)
    app.assert_image(page, f"test {shown}")
    # At an edge zooming moves the map under the mouse.
    x = left
    page.mouse.move(x, y)
    expect(card).to_be_hidden()
    while not card.is_visible():
        x += 3
        page.mouse.move(x, y)
    before = image_shown(page)
    page.mouse.wheel(0, -600)
    expect(card.locator("b")).not_to_have_text(before)
    shown = image_shown(page)
    page.mouse.move(x, y + 0.01)
    assert image_shown(page) == shown
