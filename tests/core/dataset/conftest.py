"""Folders with the miniature data set."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.dataset import bundle, download, sources
from core.dataset.idx import IdxFile
from core.dataset.published_files import FILES
from tests.core.dataset.miniature import (
    COUNTS,
    PREFIXES,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx_bytes,
)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """The miniature data set: file name to contents."""
    rng = np.random.default_rng(0)
    contents = {}
    for split, count in COUNTS.items():
        images = rng.integers(0, 16, (count, 28, 28), np.uint8)
        contents[f"{PREFIXES[split]}-images-idx3-ubyte"] = images
        contents[f"{PREFIXES[split]}-labels-idx1-ubyte"] = np.arange(count, dtype=np.uint8) % 10
    return contents


@pytest.fixture
def write(
    arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Publish the miniature data set, with no file of it anywhere; return what fills a folder."""

    def describe(name: str) -> IdxFile:
        digest = hashlib.sha256(idx_bytes(arrays[name])).hexdigest()
        return IdxFile(name, arrays[name].shape, digest)

    monkeypatch.setitem(FILES, "train", (describe(TRAIN_IMAGES), describe(TRAIN_LABELS)))
    monkeypatch.setitem(FILES, "test", (describe(TEST_IMAGES), describe(TEST_LABELS)))
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    for constant in ("SYSTEM_DIR", "BUNDLED_DIR", "CACHE_DIR"):
        monkeypatch.setattr(sources, constant, tmp_path / constant)
    monkeypatch.setattr(bundle, "BUNDLED_DIR", tmp_path / "BUNDLED_DIR")
    monkeypatch.setattr(download, "CACHE_DIR", tmp_path / "CACHE_DIR")

    def fill(folder_name: str) -> Path:
        folder = tmp_path / folder_name
        folder.mkdir()
        for name, array in arrays.items():
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        return folder

    return fill


@pytest.fixture
def chosen(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good files that FASHION_MNIST_DIR names."""
    folder = write("chosen")
    monkeypatch.setenv("FASHION_MNIST_DIR", str(folder))
    return folder
