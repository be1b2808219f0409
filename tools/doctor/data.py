"""Checks of the data set, and of the picture of all test images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.paths import shown
from tools.doctor.findings import Finding, without_full_stop

if TYPE_CHECKING:
    from core.dataset import Split


def check_test_images() -> Iterator[Finding]:
    """Check that the test images and the summary of the training images are the published ones."""
    from core import dataset

    try:
        split = dataset.load_split("test")
        yield Finding(
            "good",
            f"test images: {len(split.labels):,}, verified, from {dataset.folder_of('test')}",
        )
    except dataset.DatasetError as error:
        yield Finding("broken", f"test images: {without_full_stop(error)}")
    try:
        dataset.load_train_summary()
    except dataset.DatasetError as error:
        yield Finding("broken", f"summary of the training images: {without_full_stop(error)}")


def check_training_images() -> Iterator[Finding]:
    """Check that the training images exist and are the published ones."""
    from core import dataset

    try:
        split = dataset.load_split("train")
    except dataset.DatasetError as error:
        yield Finding(
            "warning",
            f"training images, to browse them and to train: {without_full_stop(error)}",
        )
        return
    yield Finding(
        "good",
        f"training images: {len(split.labels):,}, verified, from {dataset.folder_of('train')}",
    )


def check_thumbnails(file: Path | None = None) -> Iterator[Finding]:
    """Check that the picture of all test images, which browsers fetch, shows them."""
    import numpy as np
    from PIL import Image

    from core.pictures.sheets import tile
    from core.pictures.thumbnails import GREYS, THUMBNAIL_COLUMNS, THUMBNAILS_FILE

    file = file or THUMBNAILS_FILE
    name, remedy = shown(file), "`python -m core.images --write` writes it anew"
    split = test_split_if_sound()
    if not file.is_file():
        yield Finding("broken", f"{name}: missing, the map of images needs it: {remedy}")
        return
    if split is None:
        yield Finding("warning", f"{name}: not checked, for want of the test images")
        return
    try:
        with Image.open(file) as opened:
            pixels = np.asarray(opened.convert("L"))
    except (OSError, SyntaxError) as error:  # what Pillow raises on damage
        yield Finding("broken", f"{name}: damaged ({error}): {remedy}")
        return
    sheet = tile(np.moveaxis(split.images, 0, 2), THUMBNAIL_COLUMNS)
    step = 256 // GREYS
    # To encode the picture anew and compare it would take seconds.
    if pixels.shape == sheet.shape and np.abs(pixels - sheet.astype(np.int16)).max() < step:
        yield Finding("good", f"{name}: shows the test images")
    else:
        yield Finding("broken", f"{name}: does not show the test images: {remedy}")


def test_split_if_sound() -> Split | None:
    """Return the test images; None where `check_test_images` reports what is wrong with them."""
    from core import dataset

    try:
        return dataset.load_split("test")
    except dataset.DatasetError:
        return None
