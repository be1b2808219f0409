"""The sheet and the microscope on networks of other shapes than the tutorial's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core import dataset
from core.network import Network
from tests.browser.conftest import StartServer, Visit, copy_app
from tests.harness.server import Server

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

layers = keras.layers


def one_convolution() -> list[keras.Layer]:
    return [layers.Conv2D(3, 5, activation="relu"), layers.Flatten()]


def every_kind() -> list[keras.Layer]:
    return [
        layers.Rescaling(2.0, offset=-1.0),
        layers.Conv2D(128, 3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(3, 1, activation="tanh"),
        layers.AveragePooling2D(2, padding="same"),
        layers.Dropout(0.5),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.GlobalAveragePooling2D(),
    ]


def no_maps() -> list[keras.Layer]:
    return [layers.Flatten(), layers.Dense(20, activation="sigmoid")]


Serve = Callable[[list[keras.Layer]], tuple[Server, Network]]


@pytest.fixture
def serve(start_server: StartServer, tmp_path: Path) -> Serve:
    """Starts a process whose app has one untrained model, of these layers and a softmax."""

    def serve_model(inner: list[keras.Layer]) -> tuple[Server, Network]:
        keras.utils.set_random_seed(0)
        last = layers.Dense(10, activation="softmax")
        path = tmp_path / "assets/models/other/model.keras"
        app = copy_app(tmp_path)
        path.parent.mkdir(parents=True)
        keras.Sequential([keras.Input((28, 28, 1)), *inner, last]).save(path)
        return start_server(app, env={"PYTHONPATH": str(tmp_path)}), Network.load(path)

    return serve_model


@pytest.mark.parametrize("inner", [one_convolution, every_kind, no_maps])
def test_every_layer(serve: Serve, visit: Visit, inner: Callable[[], list[keras.Layer]]) -> None:
    server, network = serve(inner())
    image = dataset.to_input(dataset.load_split("test").images[2000:2001])
    outputs = {name: output[0] for name, output in network.activations(image).items()}
    page = visit(f"{server.url}/filter_explorer?layer={network.layers[0].name}")
    for layer in network.layers:
        page.get_by_role("radio", name=layer.name, exact=True).click()
        expect(page.locator(".microscope-title")).to_contain_text(f"{layer.name}, ")
        assert_peak(page, outputs[layer.name])
        explained = layer.kind not in ("Rescaling", "BatchNormalization", "ReLU")
        words = page.get_by_text("Value only: the arithmetic of")
        expect(words).to_have_count(0 if explained else 1)


def assert_peak(page: Page, output: np.ndarray) -> None:
    """Nothing is pinned, so the chosen map's peak is shown, and everything says its value."""
    maps = output if output.ndim == 3 else output.reshape(1, 1, -1)
    title = page.locator(".microscope-title").inner_text()
    index, row, col, *_ = [*map(int, re.findall(r" (\d+)", title)), 0, 0]
    value = float(maps[row, col, index])
    assert value == maps[:, :, index].max()
    readout = page.locator(".readout").inner_text()
    assert float(readout.rpartition(" ")[2]) == pytest.approx(value, abs=6e-5)
    live = page.locator(".live")
    expect(live).to_contain_text(title)
    said = re.search(r"(?:value|probability) (-?\d+\.\d+)", live.inner_text())
    assert said
    assert float(said[1]) == pytest.approx(value, abs=6e-5)


def test_a_field_that_leaves_the_image_is_drawn_so(serve: Serve, visit: Visit) -> None:
    convolution = layers.Conv2D(2, 5, padding="same", activation="relu", name="conv")
    server, _ = serve([convolution, layers.Flatten()])
    page = visit(f"{server.url}/filter_explorer?layer=conv&filter=1&row=0&col=27")
    expect(page.get_by_text("input: it sees rows -2–2, columns 25–29")).to_be_visible()
    picture, mark = (
        page.locator(f".pictures figure:first-child {part}").bounding_box()
        for part in ("canvas", ".mark.field")
    )
    assert picture
    assert mark
    assert mark["y"] < picture["y"]
    assert mark["x"] + mark["width"] > picture["x"] + picture["width"]
    padding = page.locator(".grid td.padding")
    # Two rows of five cells, and two columns of the three others.
    expect(padding).to_have_count(16)
    assert set(padding.all_inner_texts()) == {"0"}
