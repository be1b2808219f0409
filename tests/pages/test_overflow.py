"""A model whose numbers overflow is one sentence on every page."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from core.models import model_folder
from core.network import ModelError, Network
from tests.pages.conftest import VIEWS, Open, assert_sound, html, text

SENTENCE = (
    'The layer "second" gives numbers beyond 10¹⁵ for an image, because weights are too large: '
    "choose another model."
)


def offer(monkeypatch: pytest.MonkeyPatch, folder: Path, kernel: float) -> None:
    """Offer a model whose two convolutions have kernels of one value."""
    constant = keras.initializers.Constant(kernel)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(2, 3, kernel_initializer=constant, name="first"),
            keras.layers.Conv2D(2, 3, kernel_initializer=constant, name="second"),
            keras.layers.GlobalAveragePooling2D(name="mean"),
            keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros", name="last"),
        ]
    )
    (folder / "large").mkdir()
    model.save(folder / "large" / "model.keras")
    find = model_folder.find
    monkeypatch.setattr(model_folder, "find", lambda: find(folder))


@pytest.mark.parametrize(("page", "part"), VIEWS)
def test_every_page_shows_one_sentence(
    open_page: Open,
    page: str,
    part: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer(monkeypatch, tmp_path, 1e13)
    app = open_page(page, **part)
    assert not app.exception
    assert "nan%" not in html(app)
    if page == "dataset_gallery":  # needs no model
        assert_sound(app)
    else:
        assert [error.value for error in app.error] == [SENTENCE]
    assert "Predicted" not in text(app)


def test_another_image_of_a_page_may_be_the_one_that_overflows(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class comparison shows images beside the one in view."""
    offer(monkeypatch, tmp_path, 1.0)
    activations = Network.activations

    def only_some(network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
        if float(images.sum()) < 100:  # a sandal
            raise ModelError(SENTENCE)
        return activations(network, images)

    monkeypatch.setattr(Network, "activations", only_some)
    for part in ("one filter", "ten classes"):
        app = open_page("class_comparison", class_b=5, compare=part)
        assert not app.exception
        assert [error.value for error in app.error] == [SENTENCE]
        assert "Predicted" in text(app)
