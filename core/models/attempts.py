"""The trainings that led to the `tuned` recipe: the rows of `assets/attempts.csv`."""

import csv
import math
from dataclasses import dataclass, fields
from pathlib import Path

from core.network import ModelError
from core.paths import REPOSITORY

ATTEMPTS_FILE = REPOSITORY / "assets" / "attempts.csv"

_KEPT = {"yes": True, "no": False}


@dataclass(frozen=True)
class Attempt:
    """One training on 55,000 of the training images, judged on the 5,000 others.

    Attributes:
        change: What it does that the attempt it is compared with does not, in a few words.
        settings: All that differs from the tutorial's training.
        epochs: Times that each image was seen.
        validation_loss: Cross-entropy after the last epoch, in nats.
        validation_accuracy: Share of right answers after the last epoch, 0 to 1.
        kept: Whether the change is part of `tuned`.
    """

    change: str
    settings: str
    epochs: int
    validation_loss: float
    validation_accuracy: float
    kept: bool


def load(path: Path = ATTEMPTS_FILE) -> list[Attempt]:
    """Read the attempts, in the order in which they were made.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream, strict=True)
        if header != [field.name for field in fields(Attempt)] or not rows:
            raise ValueError("its columns are not those of the attempts")
        return [_parse(*row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ModelError(
            f"{path.name} is missing or damaged ({error}): take it from the repository again."
        ) from error


def _parse(change: str, settings: str, epochs: str, loss: str, accuracy: str, kept: str) -> Attempt:
    figures = (int(epochs), float(loss), float(accuracy))
    attempt = Attempt(change, settings, *figures, kept=_KEPT[kept])
    if not (math.isfinite(attempt.validation_loss) and 0 <= attempt.validation_accuracy <= 1):
        raise ValueError(f"a figure of {change!r} cannot be right")
    return attempt
