"""The controls, used with the mouse and with the keyboard."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import expect

from core import dataset
from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import Server

SHEET_LINK = re.compile(r"^image \d+, ")


def test_the_filter_slider_by_keyboard(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?filter=16")
    app.assert_map(page, "conv_layer_1", 16)
    slider = app.slider(page, "Filter")
    slider.focus()
    page.keyboard.press("ArrowRight")
    app.assert_map(page, "conv_layer_1", 17)
    app.assert_parameters(page, filter=17)
    # The next key press goes to the slider again.
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowLeft")
    app.assert_map(page, "conv_layer_1", 16)
    app.assert_parameters(page, filter=16)


def test_the_contact_sheet(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/dataset_gallery")
    opened = page.locator(".contact-sheet a[aria-current=true]")
    expect(page.get_by_role("link", name=SHEET_LINK)).to_have_count(75)
    expect(opened).to_have_count(0)  # the default image is on another page of the gallery

    page.get_by_role("link", name="image 3, Trouser").click()
    app.assert_image(page, "test image 3, Trouser")
    app.assert_parameters(page, image=3)
    expect(opened).to_have_text(["3"])
    expect(app.main(page).get_by_text("Test image 3", exact=False)).to_be_visible()

    page.get_by_role("link", name="image 8, Sandal").focus()
    page.keyboard.press("Enter")
    app.assert_image(page, "test image 8, Sandal")
    app.assert_parameters(page, image=8)
    expect(opened).to_have_text(["8"])


def test_the_ways_to_another_image(server: Server, visit: Visit) -> None:
    labels = dataset.load_split("test").labels
    page = visit(server.url)
    picture = app.sidebar(page).locator("img")

    def click(button: str) -> None:
        app.sidebar(page).get_by_role("button", name=re.compile(f"^{button}")).click()

    def expect_everywhere(image: int) -> None:
        title = f"test image {image}, {dataset.CLASS_NAMES[labels[image]]}"
        app.assert_image(page, title)
        app.assert_parameters(page, image=image)
        expect(app.main(page).get_by_role("img", name=title, exact=True)).to_be_visible()

    click("Increment")
    expect_everywhere(2001)
    bags = np.flatnonzero(labels == dataset.CLASS_NAMES.index("Bag"))
    for bag in bags[bags > 2001][:2].tolist():
        click("Next of")
        page.get_by_text("8 Bag", exact=True).last.click()
        expect_everywhere(bag)
    click("Decrement")
    expect_everywhere(bag - 1)

    before = picture.get_attribute("alt") or ""
    click("Random")
    # One draw in 10,000 gives the same image again.
    expect(picture).not_to_have_attribute("alt", before)
    number = re.search(r"\d+", picture.get_attribute("alt") or "")
    assert number
    expect_everywhere(int(number[0]))


def test_from_a_mistake_to_the_explorer(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/model_training?model=tutorial&part=mistakes&cells=shares")
    cell = page.locator('path[aria-label^="predicted class: Sneaker; true class: Ankle boot"]')
    # At its middle, where its number stands.
    cell.first.scroll_into_view_if_needed()
    box = cell.first.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    app.assert_parameters(page, true="Ankle", predicted="Sneaker")
    expect(app.main(page).get_by_text("Ankle boot taken for Sneaker")).to_be_visible()
    first = page.get_by_role("link", name=re.compile(r"^image \d+, Ankle boot, \d+%")).first
    number = re.search(r"\d+", first.get_attribute("aria-label") or "")
    assert number
    first.click()
    expect(page).to_have_url(re.compile("/filter_explorer"))
    app.assert_image(page, f"test image {number[0]}, Ankle boot")
