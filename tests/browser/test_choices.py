"""A filter is chosen in the browser: what that shows, and when the server hears of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from core import cache
from core.network import Array
from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import Server

IMAGE = 4321
SHIRTS_AND_COATS = "/class_comparison?model=tutorial&class_a=6&class_b=4&filter=5"


def listen(page: Page) -> app.Traffic:
    """Loads the page anew, and counts what the two say from then on."""
    traffic = app.Traffic(page)
    page.reload(wait_until="commit")
    app.wait_until_complete(page)
    traffic.reset()
    return traffic


def maps(layer: str, image: int = IMAGE) -> Array:
    """The outputs of one of the tutorial's layers."""
    return cache.activations(cache.models()["tutorial"], image)[layer]


def facts(page: Page) -> list[str]:
    return app.main(page).locator(".facts b").all_inner_texts()


def as_shown(value: float) -> str:
    """A value in about three characters, as the table of a map has it."""
    if value == 0:
        return "0"
    return f"{value:.2f}"[1:] if value < 0.995 else f"{value:.1f}"


def assert_numbers(page: Page, layer: str, index: int) -> None:
    """The panel has the map's numbers and its kernel's."""
    app.assert_map(page, layer, index)
    chosen = maps(layer)[:, :, index]
    assert facts(page) == [
        *(f"{each:.4f}" for each in (chosen.min(), chosen.mean(), chosen.max())),
        f"{np.mean(chosen > 0):.1%}",
    ]
    cells = app.main(page).locator(".values td")
    # Python rounds a half to an even digit, and JavaScript up.
    shown = np.array(cells.all_inner_texts(), np.float64)
    assert np.abs(shown - chosen.ravel()).max() <= 0.0501
    texts = np.array([as_shown(value) for value in chosen.flat])
    assert np.mean(texts == cells.all_inner_texts()) > 0.99
    assert app.main(page).locator(".values td.positive").count() == np.count_nonzero(chosen > 0)


def test_the_explorers_numbers_are_the_networks(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?model=tutorial&image={IMAGE}&filter=9")
    network = cache.network(cache.models()["tutorial"])
    panel = page.locator(".st-key-numbers")
    for first, layer in enumerate((each.name for each in network.spatial_layers), start=9):
        page.get_by_role("radio", name=layer).click()
        weights = network.layer(layer).weights
        for index in (first, first + 1):
            assert_numbers(page, layer, index)
            if weights:
                assert_kernel(panel, index, weights)
            else:
                words = f"computed from map {index} of the layer"
                expect(panel.get_by_text(words)).to_be_visible()
            if index == first:
                app.slider(page, "Filter").press("ArrowRight")


def assert_kernel(panel: Locator, index: int, weights: Mapping[str, Array]) -> None:
    kernel, bias = weights["kernel"][..., index], float(weights["bias"][index])
    height, width, channels = kernel.shape
    title = panel.get_by_role("heading", name="Kernel")
    expect(title).to_have_text(f"Kernel {height}×{width}×{channels}, bias {bias:+.3f}")
    if channels == 1:
        shown = panel.locator(".grid td").all_inner_texts()
        assert np.allclose(np.array(shown, np.float64), kernel.ravel(), atol=5.01e-4)
        expect(panel.get_by_text(f"ReLU(bias) = {max(bias, 0):.3f}.")).to_be_visible()
    else:
        picture = panel.get_by_role("img", name=f"The 64 slices of kernel {index}")
        expect(picture).to_be_visible()
        # 16 in a row, with a gap of one between them.
        size = picture.evaluate("canvas => [canvas.width, canvas.height]")
        assert size == [16 * 4 - 1, 4 * 4 - 1]


def test_another_filter_asks_nothing_of_the_server(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?model=tutorial&image={IMAGE}&filter=3")
    traffic = listen(page)
    slider = app.slider(page, "Filter")
    for index in range(4, 9):
        slider.press("ArrowRight")
        assert_numbers(page, "conv_layer_1", index)
    app.assert_parameters(page, filter=8)
    cells = page.get_by_role("listbox")
    cells.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert_numbers(page, "conv_layer_1", 9)
    app.assert_parameters(page, filter=9)
    assert (traffic.sent, traffic.received) == (0, [])

    # What the server draws for a filter it hears of, and what is clicked next.
    page.get_by_role("radio", name="top images").click()
    expect(app.main(page).get_by_text("What excites filter 9 of conv_layer_1")).to_be_visible()
    slider.press("ArrowRight")
    expect(app.main(page).get_by_text("What excites filter 10 of conv_layer_1")).to_be_visible()
    slider.press("End")
    slider.press("ArrowLeft")
    expect(app.main(page).get_by_text("What excites filter 62 of conv_layer_1")).to_be_visible()
    expect(slider).to_have_value("62")


def test_a_download_is_of_the_filter_that_is_shown(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?model=tutorial&image={IMAGE}")
    app.slider(page, "Filter").press("End")
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Numbers (CSV)").click()
    assert download.value.suggested_filename == f"conv_layer_1_image{IMAGE}_filter63.csv"
    text = download.value.path().read_text()
    numbers = np.array([row.split(",") for row in text.splitlines()], np.float64)
    assert np.allclose(numbers, maps("conv_layer_1")[:, :, 63], atol=1e-6)


def test_back_brings_an_earlier_filter(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?model=tutorial&image={IMAGE}&filter=5")
    page.get_by_role("application").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    app.assert_parameters(page, filter=5, row=25, col=25)
    app.slider(page, "Filter").press("Home")
    app.assert_map(page, "conv_layer_1", 0)
    expect(page).not_to_have_url(re.compile("filter="))
    page.go_back()
    app.assert_map(page, "conv_layer_1", 5)
    expect(page).not_to_have_url(re.compile("row="))
    # The server knows what is shown now.
    page.get_by_role("radio", name="top images").click()
    expect(app.main(page).get_by_text("What excites filter 5 of conv_layer_1")).to_be_visible()


def responses(page: Page) -> list[str]:
    return app.main(page).locator(".mean-responses b").all_inner_texts()


def test_the_comparison_asks_nothing_either(server: Server, visit: Visit) -> None:
    page = visit(server.url + SHIRTS_AND_COATS)
    traffic = listen(page)
    model = cache.models()["tutorial"]
    layers = cache.network(model).spatial_layers
    insights = cache.insights(model)
    assert insights
    for index in (5, 6, 7):
        app.assert_comparison(page, index)
        means = [insights.class_means[layer.name][[6, 4], index] for layer in layers]
        shown = np.array(responses(page), np.float64)
        assert np.allclose(shown, np.ravel(means), rtol=5.1e-3, atol=1e-5)
        # Each cell shows its part of the layer's picture; the images' own stay as they are.
        cells = page.locator(".grid-figure .cell")
        places = cells.evaluate_all("cells => cells.map(cell => cell.style.backgroundPosition)")
        shares = [re.findall(r"[\d.]+", place) for place in places]
        columns, rows = np.array(shares, np.float64).reshape(4, 5, 2).transpose(2, 0, 1)
        assert np.allclose(columns, [0, *[100 * index / 63] * 4], atol=1e-3)
        assert np.allclose(rows, np.array([[0, 100 / 3, 200 / 3, 100]]).T, atol=1e-3)
        largest = max(maps("conv_layer_1", image)[:, :, index].max() for image in (4, 7, 6, 10))
        ends = page.locator(".grid-figure .colour-bar").nth(1).locator("b").all_inner_texts()
        assert ends[0] == "0"
        assert float(ends[1]) == pytest.approx(largest, rel=5.1e-3)
        app.slider(page, "Filter").press("ArrowRight")
    app.assert_parameters(page, filter=8)
    assert (traffic.sent, traffic.received) == (0, [])

    # Where the server draws for the filter, it hears of it.
    page.get_by_role("radio", name="all filters").click()
    expect(app.main(page).get_by_text("Filter 8 of conv_layer_1")).to_be_visible()
    app.slider(page, "Filter").press("ArrowRight")
    expect(app.main(page).get_by_text("Filter 9 of conv_layer_1")).to_be_visible()
    app.go_to(page, "Filter explorer")
    app.assert_map(page, "conv_layer_1", 9)
