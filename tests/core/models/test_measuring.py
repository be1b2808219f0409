"""The progress of a measurement, as other processes read it."""

import os
import time

import numpy as np
import pytest

from core.dataset import Split
from core.models import measuring
from core.models.model_folder import ModelFolder


@pytest.mark.usefixtures("quick_embedding")
def test_progress_of_a_measurement_is_seen_from_outside(folder):
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    seen = []
    assert folder.being_measured() is None
    folder.measure(
        Split(images, np.arange(20, dtype=np.uint8) % 10),
        lambda _share, _words: seen.append(ModelFolder(folder.path).being_measured()),
    )
    assert seen
    assert all(share is not None and 0 <= share <= 1 for share in seen)
    assert folder.being_measured() is None
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("content", [b"", b"nan", b"2", b"x" * 1000, b"\xff"])
def test_progress_that_makes_no_sense_is_a_share_all_the_same(folder, content):
    (folder.path / ".measuring").write_bytes(content)
    assert 0 <= folder.being_measured() <= 1


def test_progress_of_a_killed_measurement_is_not_shown(folder):
    marker = folder.path / ".measuring"
    marker.write_text("0.4")
    long_ago = time.time() - 2 * measuring.MEASURING_TIMEOUT_S
    os.utime(marker, (long_ago, long_ago))
    assert folder.being_measured() is None
