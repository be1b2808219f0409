"""What a network was at each saved epoch, held to Keras with that epoch's weights."""

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import cache
from core.dataset import to_input
from core.pictures.colours import colour_stops
from core.pictures.scales import Scale, to_indices
from core.pictures.shades import SHADES
from core.pictures.sheets import tile
from tests.pages.conftest import Open, assert_sound, text
from tests.pages.files import collect_files


def sent(app: AppTest, component: str) -> bytes:
    """What a component is sent."""
    (proto,) = [
        element.proto
        for element in app.get("bidi_component")
        if element.proto.component_name == component
    ]
    data: bytes = proto.bytes
    return data


def player(app: AppTest) -> dict[str, Any]:
    """What the player is asked for."""
    data: dict[str, Any] = json.loads(sent(app, "epoch_player"))
    return data


def sheet(app: AppTest) -> tuple[dict[str, Any], Any]:
    """What the sheet is asked for: the header, and its shades (maps, h, w, epochs)."""
    data = sent(app, "epoch_sheet")
    start = 4 + int.from_bytes(data[:4], "little")
    header = json.loads(data[4:start])
    shades = np.frombuffer(zlib.decompress(data[start:]), np.uint8)
    return header, shades.reshape(header["shape"])


def frames(film: dict[str, Any], app: AppTest) -> Any:
    """The palette entries of a film's pictures, (epochs, h, w)."""
    if "index" in film:  # a map of the sheet
        header, shades = sheet(app)
        shown = np.moveaxis(shades[film["index"]], 2, 0)
        assert list(shown.shape[1:]) == film["size"]
        return shown * (255 / (len(header["colours"]) - 1))
    png = base64.b64decode(film["sheet"].partition(",")[2])
    entries = np.asarray(Image.open(io.BytesIO(png)))
    return entries.reshape(-1, *film["size"])


def at_epoch(model: str, epoch: int) -> keras.Model:
    """Keras's own network with the weights of an epoch."""
    folder = cache.models()[model].folder
    network = keras.saving.load_model(folder.path / "model.keras")
    weights = folder.read().checkpoints()[epoch]
    for layer in network.layers:
        for weight in layer.weights:
            weight.assign(weights[layer.name][weight.name])
    return network


@pytest.mark.parametrize(
    ("model", "layer", "index"),
    [("tutorial", "conv_layer_1", 33), ("tuned", "conv_layer_3", 7), ("tuned", "pool_layer_4", 2)],
)
def test_films_show_what_keras_computes(
    open_page: Open, model: str, layer: str, index: int
) -> None:
    app = open_page(
        "filter_explorer", model=model, layer=layer, filter=index, image=42, panel="epochs"
    )
    assert_sound(app)
    data = player(app)
    epochs = data["epochs"]
    assert epochs == list(cache.models()[model].folder.read().checkpoints())
    assert data["at"] == len(epochs) - 1
    image = to_input(cache.split("test").images[42:43])
    kernels, maps, probabilities = [], [], []
    for epoch in epochs:
        network = at_epoch(model, epoch)
        if layer.startswith("conv"):
            kernels.append(network.get_layer(layer).kernel.numpy()[..., index])
        extract = keras.Model(
            network.inputs[0], [network.get_layer(layer).output, network.layers[-1].output]
        )
        output, last = extract(image)
        maps.append(output.numpy()[0, :, :, index])
        probabilities.append(last.numpy()[0])
    np.testing.assert_allclose(data["probabilities"], np.stack(probabilities), atol=1e-4)
    expected = [np.stack(maps)]
    if kernels:
        stack = np.stack(kernels)
        tiled = np.stack([tile(kernel, 16) for kernel in kernels])
        expected.insert(0, tiled if stack.shape[3] > 1 else stack[..., 0])
    assert len(data["films"]) == len(expected)
    for film, pictures in zip(data["films"], expected, strict=True):
        # One scale for all epochs.
        signed = film["title"] == "Kernel"
        scale = Scale.centred(pictures) if signed else Scale.of(pictures)
        ends = [float(end.replace("−", "-")) for end in film["ends"]]
        assert ends == pytest.approx([scale.low, scale.high], rel=6e-3)
        # A sheet has a quarter of the shades.
        shades = to_indices(pictures, scale).astype(int)
        assert np.abs(frames(film, app).astype(int) - shades).max() <= 4


def test_the_sheet_has_all_maps_of_each_epoch(open_page: Open) -> None:
    app = open_page(
        "filter_explorer", model="tutorial", layer="conv_layer_3", image=42, panel="epochs"
    )
    header, shown = sheet(app)
    assert (header["shape"], header["columns"]) == ([64, 11, 11, 6], 8)
    assert header["colours"] == list(colour_stops("sequential", SHADES))
    image = to_input(cache.split("test").images[42:43])
    maps = []
    for epoch in cache.models()["tutorial"].folder.read().checkpoints():
        network = at_epoch("tutorial", epoch)
        extract = keras.Model(network.inputs[0], network.get_layer("conv_layer_3").output)
        maps.append(np.moveaxis(extract(image).numpy()[0], 2, 0))
    expected = np.stack(maps, axis=-1)
    # Each map has one scale for all epochs.
    largest = expected.max(axis=(1, 2, 3), keepdims=True)
    shades = (SHADES - 1) * expected / np.where(largest > 0, largest, 1)
    assert shown.shape == expected.shape
    assert np.abs(shown - shades).max() <= 0.51


def test_the_files_have_the_values_themselves(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = collect_files(monkeypatch)
    open_page("filter_explorer", layer="conv_layer_3", filter=7, image=42, panel="epochs")
    arrays = np.load(io.BytesIO(files["conv_layer_3_filter7_image42_epochs.npz"]()))
    kernel = at_epoch("tuned", 24).get_layer("conv_layer_3").kernel.numpy()[..., 7]
    assert arrays["epochs"][-1] == 24
    np.testing.assert_array_equal(arrays["Kernel"][-1], tile(kernel, 16))
    last = cache.activations(cache.models()["tuned"], 42)["conv_layer_3"][..., 7]
    np.testing.assert_allclose(arrays["Map 7"][-1], last, atol=1e-6)
    assert files["conv_layer_3_filter7_image42_epochs.png"]().startswith(b"\x89PNG")


def test_accuracies_are_those_of_the_test_images(open_page: Open) -> None:
    """On a thousand of them, with Keras; all of them are counted by `core.insights`."""
    data = player(open_page("model_training", model="tutorial", part="epochs"))
    test = cache.split("test")
    for at, epoch in enumerate(data["epochs"]):
        found = at_epoch("tutorial", epoch).predict(to_input(test.images[:1000]), verbose=0)
        share = np.mean(found.argmax(axis=1) == test.labels[:1000])
        # A sample of 1,000 is within 4 points, save once in thousands.
        assert abs(share - data["accuracies"][at]) < 0.04
    assert data["accuracies"][-1] == pytest.approx(0.8996, abs=1e-4)


def test_the_kernels_of_the_training_page(open_page: Open) -> None:
    app = open_page("model_training", model="tutorial", part="epochs", epoch=2)
    assert_sound(app)
    data = player(app)
    assert data["epochs"][data["at"]] == 2
    (film,) = data["films"]
    kernel = at_epoch("tutorial", 2).layers[0].kernel.numpy()[:, :, 0, :]
    shown = frames(film, app)[data["at"]].reshape(8, 4, 8, 4).transpose(0, 2, 1, 3)
    shown = shown.reshape(64, 4, 4)
    largest = float(film["ends"][1])
    shades = to_indices(kernel, Scale(-largest, largest, "diverging")).astype(int)
    assert np.abs(shown[:, :3, :3].astype(int) - np.moveaxis(shades, 2, 0)).max() <= 5


@pytest.mark.parametrize("epoch", ["1", "99", "-1", "x", "2.0"])
def test_an_epoch_that_was_not_saved_is_the_last(open_page: Open, epoch: str) -> None:
    data = player(open_page("filter_explorer", model="tuned", panel="epochs", epoch=epoch))
    assert data["epochs"][data["at"]] == 24


def test_without_checkpoints_the_panel_says_so(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = cache.models
    folder = models()["tutorial"].folder.path
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "model.keras").write_bytes((folder / "model.keras").read_bytes())
    find = cache.model_folder.find
    monkeypatch.setattr(cache.model_folder, "find", lambda: find(tmp_path))
    for page in ("filter_explorer", "model_training"):
        app = open_page(page, panel="epochs", part="epochs")
        assert_sound(app)
        assert "checkpoints.npz" in text(app) or "history.csv" in text(app)
