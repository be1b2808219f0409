"""The caches compute once, hand out what cannot be changed, and notice a new model."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from core import cache, memo
from core.dataset import to_input
from core.models import model_files
from core.models.model_folder import ModelFolder

TUTORIAL = cache.models()["tutorial"]


def test_activations_are_the_networks_own() -> None:
    images = to_input(cache.split("test").images[7:8])
    expected = cache.network(TUTORIAL).activations(images)
    activations = cache.activations(TUTORIAL, 7)
    assert list(activations) == list(expected)
    for name, values in activations.items():
        assert np.array_equal(values, expected[name][0])


def test_nothing_shared_can_be_changed() -> None:
    arrays = [
        *cache.activations(TUTORIAL, 7).values(),
        cache.split("test").images,
        cache.class_indices("test", 3),
        cache.train_summary().class_means,
    ]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_class_that_joins_at_once_waits_for_one_computation() -> None:
    calls = []

    @memo.shared(1)
    def slow(argument: int) -> object:
        calls.append(argument)
        time.sleep(0.05)
        return object()

    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(slow(1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1]
    assert len(results) == 20
    assert len(set(map(id, results))) == 1


def test_a_model_trained_anew_is_read_anew(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / model_files.NETWORK_FILE
    path.write_bytes((TUTORIAL.folder.path / model_files.NETWORK_FILE).read_bytes())
    before = cache.network(cache.Version.of(ModelFolder(folder)))
    assert cache.network(cache.Version.of(ModelFolder(folder))) is before
    new = tmp_path / "new"
    new.write_bytes(path.read_bytes())
    new.replace(path)
    assert cache.network(cache.Version.of(ModelFolder(folder))) is not before


def test_the_serving_modules_do_not_import_tensorflow() -> None:
    code = (
        "import sys, core.cache, core.images, core.insights, ui.frame;"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert run.stdout.strip() == "[]"
