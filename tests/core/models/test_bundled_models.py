"""The models in `assets/models`."""

import numpy as np
import pytest

from core.dataset import load_split
from core.models import model_files
from core.models.model_folder import MODELS_DIR, ModelFolder
from tests.core.models.own_model import TUTORIAL

BUNDLED = [path.name for path in sorted(MODELS_DIR.iterdir())]


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_models_are_complete_and_agree_with_themselves(name):
    bundled = ModelFolder(MODELS_DIR / name)
    assert {path.name for path in bundled.path.iterdir()} == model_files.FILES
    files, labels = bundled.read(), load_split("test").labels
    history, insights = files.history(), files.insights()
    if "test_loss" in history:
        accuracy, loss = history.iloc[-1][["test_accuracy", "test_loss"]]
        assert insights.accuracy(labels) == pytest.approx(accuracy, abs=2e-4)
        assert insights.loss(labels) == pytest.approx(loss, abs=1e-4)
    assert len(files.checkpoints()) <= 15
    assert files.card().startswith(f"# {name}\n")
    assert f"| test | {insights.loss(labels):.4f} | {insights.accuracy(labels):.4f} |" in (
        files.card().replace("test, after the last epoch", "test")
    )


@pytest.mark.parametrize("name", BUNDLED)
def test_keras_alone_confirms_the_accuracy_of_a_bundled_model(name):
    keras = pytest.importorskip("keras", reason="Keras is what confirms it")
    bundled, test = ModelFolder(MODELS_DIR / name), load_split("test")
    model = keras.saving.load_model(bundled.path / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    images = test.images[..., np.newaxis].astype(np.float32) / 255
    loss, accuracy = model.evaluate(images, test.labels, batch_size=500, verbose=0)
    assert accuracy == pytest.approx(bundled.read().insights().accuracy(test.labels), abs=2e-4)
    assert loss == pytest.approx(bundled.read().insights().loss(test.labels), abs=1e-4)


def test_bundled_models_stay_small_together():
    assert sum(path.stat().st_size for path in MODELS_DIR.rglob("*.*")) <= 24e6


def test_the_tutorials_network():
    assert TUTORIAL.read().network().parameter_count == 243_786
    assert len(TUTORIAL.read().history()) == 5
    assert tuple(TUTORIAL.read().checkpoints()) == (0, 1, 2, 3, 4, 5)
