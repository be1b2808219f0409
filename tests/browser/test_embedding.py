"""The map of images, with the pointer, a finger and the keyboard."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from playwright.sync_api import FloatRect, Locator, Page, expect

from core import cache
from core.dataset import CLASS_NAMES
from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import Server

MARGIN = 26  # CSS pixels around the points
POSITIONS = 8

Places = npt.NDArray[np.float64]

RING_IS_AT = """([ring, x, y]) => {
  const { left, right, top, bottom } = ring.getBoundingClientRect();
  return Math.abs((left + right) / 2 - x) <= 1 && Math.abs((top + bottom) / 2 - y) <= 1;
}"""

PREVIEW_IS_DRAWN = 'canvas => canvas.getContext("2d").getImageData(0, 0, 1, 1).data[3] === 255'


def canvas(page: Page) -> Locator:
    return page.locator(".stage > canvas")


def box_of(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box
    return box


def on_screen(page: Page, places: Places, zoom: float = 1.0) -> Places:
    """Where the map has its points (n, 2), in CSS pixels of the page; zoomed about its middle."""
    box = box_of(canvas(page))
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([box["width"], box["height"]]) - 2 * MARGIN
    offset = (places - (low + high) / 2) * [1, -1] * zoom * (room / (high - low)).min()
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    return offset + middle


def sentence(image: int) -> list[str]:
    """What the card says of an image."""
    insights = cache.insights(cache.models()["tutorial"])
    assert insights
    label = cache.split("test").labels[image]
    said, sure = insights.predictions[image], insights.confidences[image]
    return [
        f"image {image}, {CLASS_NAMES[label]}",
        f"predicted {CLASS_NAMES[said]} with {100 * sure:.1f} %",
    ]


def assert_nearest(page: Page, points: Places, among: npt.NDArray[np.intp]) -> int:
    """Points at places near points, and finds there what a plain search finds among the images
    that can be pointed at. Returns the last image."""
    rng = np.random.default_rng(0)
    box = box_of(canvas(page))
    found = -1
    tried = 0
    while tried < POSITIONS:
        x, y = points[rng.choice(among)] + rng.uniform(-5, 5, 2)
        inside = 5 < x - box["x"] < box["width"] - 60 and 5 < y - box["y"] < box["height"] - 5
        distances = np.hypot(*(points[among] - [x, y]).T)
        first, second = np.argsort(distances)[:2]
        # The packet has the places to a hundredth of a pixel.
        if not inside or distances[second] - distances[first] < 0.05:
            continue
        found = int(among[first])
        page.mouse.move(x, y)
        assert page.locator(".card > :not(canvas)").all_inner_texts() == sentence(found)
        tried += 1
    return found


def assert_preview(page: Page, image: int) -> None:
    """The card shows that image, in 16 greys."""
    shown = page.locator(".card canvas").evaluate(
        """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, 28, 28).data)"""
    )
    pixels = np.reshape(shown, (28, 28, 4))
    expected = cache.split("test").images[image] // 16 * 17
    assert np.array_equal(pixels[..., :3], np.repeat(expected[..., np.newaxis], 3, axis=2))
    assert (pixels[..., 3] == 255).all()


def test_pointing_names_the_nearest_image(server: Server, visit: Visit) -> None:
    page = visit(server.url, complete=False)
    traffic = app.Traffic(page)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{server.url}/embedding?model=tutorial")
    app.wait_until_complete(page)
    assert not any("test_images" in url for url in loaded)  # nobody has pointed yet
    insights = cache.insights(cache.models()["tutorial"])
    assert insights
    everything = np.arange(10_000)
    shirts = cache.class_indices("test", CLASS_NAMES.index("Shirt"))

    places = insights.embedding.astype(np.float64)
    traffic.reset()
    with page.expect_response(re.compile("test_images")) as response:
        assert_nearest(page, on_screen(page, places), everything)
    assert response.value.headers["content-type"] == "image/png"
    response.value.finished()
    image = assert_nearest(page, on_screen(page, places), everything)
    page.wait_for_function(PREVIEW_IS_DRAWN, arg=page.locator(".card canvas").element_handle())
    assert_preview(page, image)

    page.get_by_role("button", name="Shirt", exact=True).click()
    assert_preview(page, assert_nearest(page, on_screen(page, places), shirts))
    page.get_by_role("button", name="Shirt", exact=True).click()
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    assert_nearest(page, on_screen(page, places, 1.6**2), everything)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(50)
    assert (traffic.sent, traffic.received) == (0, [])

    page.get_by_role("radio", name="PCA").click()
    expect(page.locator(".axis").first).to_have_text(re.compile("first principal component"))
    app.wait_until_idle(page)
    places = insights.components.astype(np.float64)
    assert_preview(page, assert_nearest(page, on_screen(page, places), everything))
    assert sum("test_images" in url for url in loaded) == 1


def test_points_alone_are_explained(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    page.route("**/test_images.png", lambda route: route.fulfill(body="no picture"))
    page.goto(f"{server.url}/embedding?model=tutorial")
    app.wait_until_complete(page)
    said = page.locator(".image-map .problem")
    expect(said).to_be_empty()
    insights = cache.insights(cache.models()["tutorial"])
    assert insights
    places = on_screen(page, insights.embedding.astype(np.float64))
    assert_nearest(page, places, np.arange(10_000))
    expect(said).to_contain_text("static/test_images.png, the picture of all images, is missing")
    # Another page and back: a map of its own, and as little to show on it.
    app.go_to(page, "Home")
    app.go_to(page, "Map of images")
    expect(said).to_contain_text("restore the file from the repository")


def test_picking_an_image(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/embedding?model=tutorial&image=7", has_touch=True)
    insights = cache.insights(cache.models()["tutorial"])
    assert insights
    labels = cache.split("test").labels
    points = on_screen(page, insights.embedding.astype(np.float64))

    def nearest(place: npt.NDArray[np.float64]) -> int:
        return int(np.hypot(*(points - place).T).argmin())

    def assert_picked(image: int) -> None:
        app.assert_image(page, f"test image {image}, {CLASS_NAMES[labels[image]]}")
        app.assert_parameters(page, image=image)
        # The map hears of it after the sidebar does.
        ring = page.locator(".ring.chosen").element_handle()
        page.wait_for_function(RING_IS_AT, arg=[ring, *points[image]])

    image = nearest(points[2000] + 2)
    page.mouse.click(*(points[2000] + 2))
    assert_picked(image)

    # A finger cannot point: its first tap shows the image, its second one picks it.
    image = nearest(points[5])
    page.touchscreen.tap(*points[5])
    expect(page.locator(".card b")).to_have_text(sentence(image)[0])
    app.assert_parameters(page, image=nearest(points[2000] + 2))
    page.touchscreen.tap(*points[5])
    assert_picked(image)

    stage = page.get_by_role("application")
    stage.focus()
    page.keyboard.press("ArrowRight")
    ahead, aside = (points - points[image]).T
    there = np.flatnonzero((ahead >= 14) & (np.abs(aside) <= ahead))
    image = int(there[np.hypot(ahead, aside)[there].argmin()])
    expect(page.locator(".card > :not(canvas)")).to_have_text(sentence(image))
    expect(page.locator(".image-map .live")).to_have_text(", ".join(sentence(image)))
    page.keyboard.press("Enter")
    assert_picked(image)
    expect(stage).to_be_focused()
    page.keyboard.press("+")
    page.keyboard.press("Home")
    page.keyboard.press("Escape")
    expect(page.locator(".card")).to_be_hidden()
    assert_picked(image)
