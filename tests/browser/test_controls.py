"""The controls, used with the mouse and with the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks.server import Server
from core import dataset
from tests.browser import app
from tests.browser.conftest import Visit

SHEET_BUTTON = re.compile(r"^image \d+, ")


def test_the_filter_slider_by_keyboard(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?filter=16")
    app.expect_map(page, "conv_layer_1", 16)
    slider = app.slider(page, "Filter")
    slider.focus()
    page.keyboard.press("ArrowRight")
    app.expect_map(page, "conv_layer_1", 17)
    app.expect_parameters(page, filter=17)
    # The next key press goes to the slider again.
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowLeft")
    app.expect_map(page, "conv_layer_1", 16)
    app.expect_parameters(page, filter=16)


def test_the_contact_sheet(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/dataset_gallery")
    pressed = page.locator("button[aria-pressed=true]").filter(has_text=re.compile(r"^\d+$"))
    button = page.get_by_role("button", name=SHEET_BUTTON)
    expect(button).to_have_count(75)
    expect(pressed).to_have_count(0)  # the default image is on another page of the gallery

    page.get_by_role("button", name="image 3, Trouser").click()
    app.expect_image(page, "test image 3, Trouser")
    app.expect_parameters(page, image=3)
    expect(pressed).to_have_text(["3"])
    expect(app.main(page).get_by_text("Test image 3", exact=False)).to_be_visible()

    page.get_by_role("button", name="image 8, Sandal").focus()
    page.keyboard.press("Enter")
    app.expect_image(page, "test image 8, Sandal")
    app.expect_parameters(page, image=8)
    expect(pressed).to_have_text(["8"])


@pytest.fixture
def home(server: Server, visit: Visit) -> Iterator[Page]:
    """A page with the bag in the frame; whatever image is chosen, frame, URL and page agree."""
    page = visit(server.url)
    yield page
    expect(page).to_have_url(re.compile(r"[?&]image=\d+"))
    image = app.parameters(page)["image"]
    label = dataset.load_split("test").labels[int(image)]
    title = f"test image {image}, {dataset.CLASS_NAMES[label]}"
    app.expect_image(page, title)
    expect(app.main(page).get_by_role("img", name=title, exact=True)).to_be_visible()


def frame_button(page: Page, name: str) -> Locator:
    return app.sidebar(page).get_by_role("button", name=re.compile(f"^{name}"))


def test_random_image(home: Page) -> None:
    frame_button(home, "Random").click()
    # One draw in 10,000 is the bag again.
    expect(app.sidebar(home).locator("img")).not_to_have_attribute("alt", "test image 2000, Bag")


def test_next_image_of_a_class(home: Page) -> None:
    bags = np.flatnonzero(dataset.load_split("test").labels == 8)
    following = bags[bags > 2000][:2]
    for index in following:
        frame_button(home, "Next of").click()
        home.get_by_text("8 Bag", exact=True).last.click()
        app.expect_image(home, f"test image {index}, Bag")


def test_previous_and_next_image(home: Page) -> None:
    frame_button(home, "Increment").click()
    app.expect_image(home, "test image 2001, Pullover")
    frame_button(home, "Decrement").click()
    app.expect_image(home, "test image 2000, Bag")
    frame_button(home, "Decrement").click()
    expect(app.sidebar(home).get_by_label("Test image", exact=True)).to_have_value("1999")
    app.expect_parameters(home, image=1999)
