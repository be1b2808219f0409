"""Write the part of the data set that comes with the repository, `assets/fashion_mnist`."""

import gzip
from pathlib import Path

import numpy as np

from core.dataset.errors import DatasetError, reason
from core.dataset.published_files import FILES
from core.dataset.sources import BUNDLED_DIR, SUMMARY_NAME, load_split
from core.dataset.splits import summarise


def bundle(folder: Path | None = None) -> Path:
    """Write the test split and the train summary.

    Args:
        folder: Where to write instead of `assets/fashion_mnist`.

    Returns:
        The folder written to.

    Raises:
        DatasetError: A split is missing or damaged, or the folder cannot be written.
    """
    folder = folder or BUNDLED_DIR
    test, train = load_split("test"), load_split("train")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, array in zip(FILES["test"], (test.images, test.labels), strict=True):
            content = file.header + array.tobytes()
            # Without a time stamp, the same contents give the same file.
            (folder / f"{file.name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        np.savez(folder / SUMMARY_NAME, **vars(summarise(train)))
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be written ({reason(error)}): make it writable or free some space."
        ) from error
    return folder
