"""The file `history.csv`: loss and accuracy after each epoch of a training."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

_TRAIN = ("epoch", "seconds", "train_loss", "train_accuracy")
_VALIDATION = ("validation_loss", "validation_accuracy")
_TEST = ("test_loss", "test_accuracy")
HISTORY_COLUMNS = ((*_TRAIN, *_TEST), (*_TRAIN, *_VALIDATION))
"""The two headers that are allowed: of the training of the model itself, or of a training before it
with some training images held out for validation."""


def parse_history(text: str) -> pd.DataFrame:
    """Return the table in the text of a file; `ModelFiles.history` describes it.

    Raises:
        ValueError, csv.Error: The text is not a history; the message has the reason.
    """
    header, *rows = csv.reader(text.splitlines() or [""], strict=True)
    if tuple(header) not in HISTORY_COLUMNS:
        raise ValueError("its columns are not those of a history")
    if not rows or any(len(row) != len(header) for row in rows):
        raise ValueError("a row is missing or has too few or too many fields")
    table = pd.DataFrame([[float(field) for field in row] for row in rows], columns=header)
    accuracies = table.filter(like="accuracy")
    if not (np.isfinite(table).all(axis=None) and (table >= 0).all(axis=None)):
        raise ValueError("a figure is negative or not finite")
    if (accuracies > 1).any(axis=None):
        raise ValueError("an accuracy is above 1")
    if list(table["epoch"]) != list(range(1, len(table) + 1)):
        raise ValueError("its epochs do not count from 1")
    return table.astype({"epoch": np.int64})


def write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write a history.

    Args:
        path: The file.
        history: One row per epoch, each with the same of `HISTORY_COLUMNS`.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, history[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
