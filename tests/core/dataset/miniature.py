"""A miniature data set that stands in for the published one: names and helpers."""

from pathlib import Path

import numpy as np
import pytest

from core import dataset
from core.dataset import DatasetError

COUNTS = {"train": 300, "test": 200}
PREFIXES = {"train": "train", "test": "t10k"}
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
ALL_FILES = {f"{name}.gz" for name in (TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS)}


def idx_bytes(array: np.ndarray) -> bytes:
    header = [0, 0, 8, array.ndim]
    for length in array.shape:
        header += length.to_bytes(4, "big")
    return bytes(header) + array.tobytes()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def assert_refused(path: Path, fault: str) -> None:
    """The test split must be refused in one sentence that names `path`, fault and remedy."""
    with pytest.raises(DatasetError) as caught:
        dataset.load_split("test")
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert fault in message
    assert message.endswith("put Fashion-MNIST's original files there, or unset FASHION_MNIST_DIR.")
    assert "\n" not in message
