"""The pages hold for networks of other shapes than the tutorial's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from core.models import model_folder
from core.network import Network
from tests.pages.conftest import COMPARED, VIEWS, Open, assert_sound, explored, go_to, text

END = [layers.Flatten, lambda: layers.Dense(10, activation="softmax", name="last")]
NETWORKS: dict[str, list[Callable[[], Any]]] = {
    "one convolution, 3 filters": [lambda: layers.Conv2D(3, 5, activation="relu"), *END],
    "1×1 kernels, no bias": [lambda: layers.Conv2D(4, 1, use_bias=False), *END],
    "one filter": [lambda: layers.Conv2D(1, 3, activation="tanh"), *END],
    "128 filters, stride 2, same": [
        lambda: layers.Conv2D(128, 3, strides=2, padding="same", activation="sigmoid"),
        *END,
    ],
    "average pooling, batch normalisation, rescaling": [
        lambda: layers.Rescaling(2.0, -1.0),
        lambda: layers.Conv2D(8, (3, 5)),
        layers.BatchNormalization,
        layers.ReLU,
        lambda: layers.AveragePooling2D(3, strides=2, padding="same"),
        lambda: layers.Conv2D(16, 3, activation="relu"),
        layers.GlobalAveragePooling2D,
        lambda: layers.Dropout(0.5),
        lambda: layers.Dense(10),
        layers.Softmax,
    ],
    "no feature maps": [
        layers.Flatten,
        lambda: layers.Dense(7),
        lambda: layers.Dense(10, activation="softmax"),
    ],
}


@pytest.fixture(scope="module", params=NETWORKS)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one untrained model."""
    folder = tmp_path_factory.mktemp("models")
    model = keras.Sequential(
        [layers.Input((28, 28, 1)), *(make() for make in NETWORKS[request.param])]
    )
    (folder / "other").mkdir()
    model.save(folder / "other" / "model.keras")
    return folder


@pytest.fixture(autouse=True)
def use_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = model_folder.find
    monkeypatch.setattr(model_folder, "find", lambda: find(models))


@pytest.mark.parametrize(("page", "part"), VIEWS)
def test_every_page_opens(open_page: Open, page: str, part: dict[str, str]) -> None:
    app = open_page(page, filter=2, layer="conv2d", **part)
    assert_sound(app)
    assert "Label: 8 Bag" in text(app)


def test_every_layer_of_the_explorer_opens(open_page: Open, models: Path) -> None:
    for layer in Network.load(models / "other" / "model.keras").layers:
        count = layer.output_shape[-1]
        spatial = len(layer.output_shape) == 3
        for scale in ("map", "shared"):
            app = open_page("filter_explorer", layer=layer.name, filter=count - 1, scale=scale)
            assert_sound(app)
            assert explored(app) == (layer.name, count - 1)
            assert any(box.key == "panel" for box in app.get("button_group")) is spatial
            assert f"All {count} {'maps' if spatial else 'units'} of {layer.name}" in text(app)


def test_a_filter_that_the_next_page_does_not_have(open_page: Open, models: Path) -> None:
    counts = [
        layer.output_shape[2]
        for layer in Network.load(models / "other" / "model.keras").spatial_layers
    ]
    for part in COMPARED:
        app = open_page("class_comparison", filter=max(counts, default=1) - 1, compare=part)
        assert_sound(app)
        go_to(app, "filter_explorer")
        assert_sound(app)
