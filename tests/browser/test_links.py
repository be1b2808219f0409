"""Addresses: what a link shows on a process's first visit, and what stays when pages change."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.conftest import StartServer, Visit
from tests.harness import app
from tests.harness.server import Server


def gallery_of_bags(page: Page) -> None:
    expect(page.get_by_role("combobox", name="Class", exact=True)).to_have_value("Bag")
    expect(page.get_by_label(re.compile("^Page, of"))).to_have_value("2")
    # The page is a full one, of bags only.
    expect(page.get_by_role("link", name=re.compile(r"^image \d+, Bag$"))).to_have_count(75)
    expect(page.get_by_role("link", name=re.compile(r"^image \d+, "))).to_have_count(75)
    expect(page.get_by_role("link", name="image 768, Bag")).to_have_attribute(
        "aria-current", "true"
    )
    expect(app.main(page).get_by_text("Test image 768")).to_be_visible()


def dress_in_the_explorer(page: Page) -> None:
    app.assert_map(page, "conv_layer_3", 17)
    expect(page.get_by_role("radio", name="shared")).to_be_checked()
    expect(app.main(page).get_by_text("All 64 maps of conv_layer_3")).to_contain_text(
        "test image 42, Dress"
    )


def pullovers_and_shirts(page: Page) -> None:
    app.assert_comparison(page, 5)
    expect(page.get_by_role("combobox", name="First class")).to_have_value("2 Pullover")
    expect(page.get_by_role("combobox", name="Second class")).to_have_value("6 Shirt")
    expect(app.slider(page, "Images of each")).to_have_value("3")
    # The first three of each class in the test split.
    rows = ["1 Pullover", "16 Pullover", "20 Pullover", "4 Shirt", "7 Shirt", "26 Shirt"]
    expect(app.compared_images(page)).to_have_text(rows)


def home(page: Page) -> None:
    expect(page.get_by_role("heading", name="What the network sees")).to_be_visible()
    expect(app.main(page).get_by_role("img", name="test image 42, Dress")).to_be_visible()


def model_and_training(page: Page) -> None:
    model = page.get_by_role("combobox", name="Model").input_value()
    expect(page.get_by_role("heading", name=f"How good {model} is", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("link", "image", "expect_view"),
    [
        ("/?image=42", "test image 42, Dress", home),
        ("/dataset_gallery?class=Bag&page=2&image=768", "test image 768, Bag", gallery_of_bags),
        ("/model_training?image=7", "test image 7, Shirt", model_and_training),
        (
            "/filter_explorer?image=42&layer=conv_layer_3&filter=17&scale=shared",
            "test image 42, Dress",
            dress_in_the_explorer,
        ),
        (
            "/class_comparison?class_a=2&class_b=6&examples=3&filter=5",
            "test image 2000, Bag",
            pullovers_and_shirts,
        ),
    ],
)
def test_a_link_is_the_first_visit_of_a_process(
    start_server: StartServer,
    visit: Visit,
    link: str,
    image: str,
    expect_view: Callable[[Page], None],
) -> None:
    page = visit(start_server().url + link)
    # Without the frame there is a navigation too, but made of file names in the sidebar.
    expect(page.get_by_test_id("stTopNavLink")).to_contain_text(list(app.PAGES.values()))
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_title("See the filters")
    app.assert_image(page, image)
    expect_view(page)
    given = dict(pair.split("=") for pair in urlsplit(link).query.split("&"))
    assert app.parameters(page) == given


def explore(page: Page) -> None:
    app.sidebar(page).get_by_role("button", name="Increment").click()
    app.assert_image(page, "test image 2001, Pullover")
    page.get_by_role("radio", name="pool_layer_2").click()
    page.get_by_role("radio", name="shared").click()
    app.slider(page, "Filter").press("ArrowRight")
    app.assert_map(page, "pool_layer_2", 1)
    app.assert_parameters(page, image=2001, layer="pool_layer_2", scale="shared", filter=1)


def compare(page: Page) -> None:
    app.select(page, "First class", "2 Pullover")
    expect(app.compared_images(page).first).to_have_text("1 Pullover")
    app.select(page, "Second class", "6 Shirt")
    expect(app.compared_images(page).last).to_have_text("7 Shirt")
    app.slider(page, "Images of each").press("ArrowRight")
    expect(app.compared_images(page)).to_have_count(6)
    app.slider(page, "Filter").press("ArrowRight")
    app.assert_comparison(page, 1)
    app.assert_parameters(page, class_a=2, class_b=6, examples=3, filter=1)


def browse(page: Page) -> None:
    app.select(page, "Class", "Bag")
    expect(page.get_by_role("link", name=re.compile(r"^image \d+, Bag$"))).to_have_count(75)
    app.main(page).get_by_role("button", name="Increment").click()
    page.get_by_role("link", name="image 768, Bag").click()
    app.assert_image(page, "test image 768, Bag")
    expect(app.main(page).get_by_text("Test image 768")).to_be_visible()
    app.assert_parameters(page, **{"class": "Bag", "page": 2, "image": 768})


@pytest.mark.parametrize(
    ("address", "interact"),
    [("filter_explorer", explore), ("class_comparison", compare), ("dataset_gallery", browse)],
)
def test_a_copied_link_shows_the_same_view(
    server: Server,
    start_server: StartServer,
    visit: Visit,
    address: str,
    interact: Callable[[Page], None],
) -> None:
    page = visit(f"{server.url}/{address}")
    interact(page)
    app.wait_until_idle(page)

    copy = visit(page.url.replace(server.url, start_server().url))
    for part in (app.sidebar, app.main):
        expect(part(copy)).to_match_aria_snapshot(part(page).aria_snapshot())
    assert app.pictures(copy) == app.pictures(page)
    assert app.parameters(copy) == app.parameters(page)


def chosen_by_link(server: Server, visit: Visit) -> Page:
    link = "/filter_explorer?model=tutorial-2&image=42&layer=conv_layer_3&filter=1"
    return visit(server.url + link)


def chosen_by_hand(server: Server, visit: Visit) -> Page:
    page = visit(f"{server.url}/filter_explorer")
    app.select(page, "Model", "tutorial-2")
    app.assert_parameters(page, model="tutorial-2")
    image = app.sidebar(page).get_by_label("Test image", exact=True)
    image.fill("42")
    image.press("Enter")
    app.assert_image(page, "test image 42, Dress")
    page.get_by_role("radio", name="conv_layer_3").click()
    app.assert_map(page, "conv_layer_3", 0)
    app.slider(page, "Filter").press("ArrowRight")
    return page


@pytest.mark.parametrize("choose", [chosen_by_link, chosen_by_hand])
def test_switching_pages_keeps_what_was_chosen(
    two_models: Server, visit: Visit, choose: Callable[[Server, Visit], Page]
) -> None:
    page = choose(two_models, visit)
    app.assert_map(page, "conv_layer_3", 1)

    for name in ("Class comparison", "Home", "Dataset gallery", "Model and training"):
        app.go_to(page, name)
        expect(page.get_by_role("combobox", name="Model")).to_have_value("tutorial-2")
        app.assert_image(page, "test image 42, Dress")
        app.assert_parameters(page, model="tutorial-2", image=42)
        if name == "Model and training":
            expect(page.get_by_role("heading", name="How good tutorial-2 is")).to_be_visible()
        if name == "Class comparison":
            app.assert_comparison(page, 1)
            app.assert_parameters(page, filter=1)

    app.go_to(page, "Filter explorer")
    app.assert_map(page, "conv_layer_3", 1)
    app.assert_image(page, "test image 42, Dress")
    app.assert_parameters(page, model="tutorial-2", image=42, layer="conv_layer_3", filter=1)


def box(part: Locator) -> FloatRect:
    found = part.bounding_box()
    assert found
    return found


@pytest.mark.parametrize(
    ("address", "below"),
    [
        ("/filter_explorer?image=99999&filter=999", "All 64 maps of conv_layer_1"),
        ("/?image=99999&model=x", "What the network sees"),
        ("/dataset_gallery?image=99999&page=999", "Dataset gallery"),
    ],
)
def test_what_is_refused_is_named_above_the_page(
    server: Server, visit: Visit, address: str, below: str
) -> None:
    page = visit(server.url + address)
    line = app.main(page).get_by_text("Image 99999 does not exist (0 to 9999): showing image 2000")
    expect(line).to_be_visible()
    first = app.main(page).get_by_text(below).first
    assert box(line)["y"] + box(line)["height"] <= box(first)["y"]
    assert app.parameters(page) == {}
    # Another choice takes it away, and none brings it back.
    app.sidebar(page).get_by_role("button", name="Increment").click()
    app.assert_image(page, "test image 2001, Pullover")
    expect(line).to_have_count(0)
    app.go_to(page, "Class comparison")
    expect(app.main(page).get_by_text("does not exist")).to_have_count(0)


def test_images_of_another_class_leave_the_controls_in_their_row(
    server: Server, visit: Visit
) -> None:
    page = visit(f"{server.url}/class_comparison?images_a=abc")
    line = app.main(page).get_by_text("“abc” is not the number of a test image of T-shirt/top")
    expect(line).to_be_visible()
    fields = app.main(page).get_by_role("textbox", name="Test images of")
    row = [*fields.all(), app.main(page).get_by_role("combobox", name="First class")]
    assert len(row) == 3
    middles = [box(part)["y"] + box(part)["height"] / 2 for part in row]
    assert max(middles) - min(middles) <= 2
    assert box(line)["y"] < min(box(part)["y"] for part in row)
    fields.first.fill("19, 27")
    fields.first.press("Enter")
    expect(line).to_have_count(0)
    expect(fields.first).to_have_value("19, 27")
