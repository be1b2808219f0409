"""Where Fashion-MNIST may lie on this machine, and how a split is loaded from there.

The folders, in the order in which they are searched:

1. the folder that the environment variable `FASHION_MNIST_DIR` names; where it is set, no other
   folder is searched;
2. `/usr/share/datasets/fashion-mnist`, where the Debian and Ubuntu package
   `dataset-fashion-mnist` installs;
3. `assets/fashion_mnist`, which holds the test split only;
4. the user's cache, which `python -m core.dataset download` fills.

A damaged file is an error, never a reason to try the next folder.
"""

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
from numpy.typing import NDArray

from core.dataset.errors import DatasetError, reason
from core.dataset.idx import IdxError, IdxFile, read_idx
from core.dataset.published_files import FILES
from core.dataset.splits import Split, SplitName, TrainSummary
from core.paths import REPOSITORY

DIR_VARIABLE = "FASHION_MNIST_DIR"
SYSTEM_DIR = Path("/usr/share/datasets/fashion-mnist")
BUNDLED_DIR = REPOSITORY / "assets" / "fashion_mnist"
CACHE_DIR = Path(pooch.os_cache("see-the-filters"))

DOWNLOAD_COMMAND = "`python -m core.dataset download`"
"""The command that fills `CACHE_DIR`, as error messages name it."""

SUMMARY_NAME = "train_summary.npz"
# Of the file itself: it is not compressed, so the same arrays give the same bytes.
_SUMMARY_SHA256 = "6e630aab0daf227d8a2323e0e9ac2bd093e21d89c46998f5c4951fb10483db3d"


@dataclass(frozen=True)
class _Source:
    """A folder to search, and the remedy for a bad file in it (an imperative clause)."""

    folder: Path
    remedy: str


def load_split(name: SplitName) -> Split:
    """Read a split from the first folder that holds it (the module's docstring has the order).

    Args:
        name: "train" for 60,000 images, "test" for 10,000.

    Raises:
        DatasetError: No folder holds the split, or a file of it is damaged.
        ValueError: `name` is neither "train" nor "test".
    """
    if name not in FILES:
        raise ValueError(f'a split is "train" or "test", not {name!r}')
    images_file, labels_file = FILES[name]
    for source in _sources():
        images_path = images_file.find(source.folder)
        labels_path = labels_file.find(source.folder)
        if images_path and labels_path:
            return Split(
                _load(images_path, images_file, source.remedy),
                _load(labels_path, labels_file, source.remedy),
            )
    raise DatasetError(_missing(name))


def train_available() -> bool:
    """Return whether the training files are on this machine, without reading them."""
    return folder_of("train") is not None


def folder_of(name: SplitName) -> Path | None:
    """Return the folder that `load_split` takes a split from; None if no folder holds it."""
    for source in _sources():
        if all(file.find(source.folder) for file in FILES[name]):
            return source.folder
    return None


def load_train_summary() -> TrainSummary:
    """Read the bundled summary of the training split.

    Raises:
        DatasetError: The bundled file is missing or damaged.
    """
    path = BUNDLED_DIR / SUMMARY_NAME
    remedy = "restore it from the repository"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({reason(error)}): {remedy}.") from error
    if hashlib.sha256(content).hexdigest() != _SUMMARY_SHA256:
        raise DatasetError(f"{path} is damaged (its SHA-256 is wrong): {remedy}.")
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)
    for array in arrays.values():
        array.flags.writeable = False
    return TrainSummary(**arrays)


def _sources() -> tuple[_Source, ...]:
    """Return the folders to search, in order."""
    if chosen := os.environ.get(DIR_VARIABLE):
        remedy = f"put Fashion-MNIST's original files there, or unset {DIR_VARIABLE}"
        return (_Source(Path(chosen), remedy),)
    return (
        _Source(SYSTEM_DIR, "reinstall the package dataset-fashion-mnist"),
        _Source(BUNDLED_DIR, "restore it from the repository"),
        _Source(CACHE_DIR, f"run {DOWNLOAD_COMMAND} to replace it"),
    )


def _load(path: Path, file: IdxFile, remedy: str) -> NDArray[np.uint8]:
    try:
        return read_idx(path, file)
    except IdxError as defect:
        raise DatasetError(f"{path} {defect}: {remedy}.") from defect


def _missing(name: SplitName) -> str:
    """Return the error message for a split that no folder holds."""
    files = FILES[name]
    if os.environ.get(DIR_VARIABLE):
        (source,) = _sources()
        absent = next(file for file in files if not file.find(source.folder))
        path = source.folder / f"{absent.name}.gz"
        return f"{path} is missing or not readable: {source.remedy}."
    names = " and ".join(f"{file.name}.gz" for file in files)
    return (
        f"No folder holds both {names}: run {DOWNLOAD_COMMAND}, install the package "
        f"dataset-fashion-mnist, or set {DIR_VARIABLE} to a folder that has them."
    )
