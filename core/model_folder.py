"""A model folder: the one place that knows what it holds and how each file is read.

A folder in `assets/models` offers its model to the app under the folder's name:

- `model.keras`: the network after the last epoch, as Keras saves it. Only this one is required.
- `history.csv`: loss and accuracy after each epoch (`HISTORY_COLUMNS`).
- `checkpoints.npz`: weights before the first epoch (epoch 0) and after others, float16, named
  `EPOCH/LAYER/WEIGHT`. The last epoch is left out: it is in `model.keras`, at full precision.
- `insights.npz`: what the filters do over the whole test split (`core.insights`).
- `card.md`: what the model was trained on, how, and what it is worth, for people to read.

The files may come from anywhere: nothing in them is executed, their sizes are bounded, and whatever
is wrong with one is a `ModelError` that names the file and the command that writes it anew.
"""

import csv
import hashlib
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset import Split
from core.insights import Insights, compute
from core.keras_file import ModelError
from core.network import Network
from core.progress import Progress

MODELS_DIR = Path(__file__).resolve().parents[1] / "assets" / "models"

NETWORK_FILE = "model.keras"
HISTORY_FILE = "history.csv"
CHECKPOINTS_FILE = "checkpoints.npz"
INSIGHTS_FILE = "insights.npz"
CARD_FILE = "card.md"
FILES = frozenset({NETWORK_FILE, HISTORY_FILE, CHECKPOINTS_FILE, INSIGHTS_FILE, CARD_FILE})

MAX_HISTORY_BYTES = 2**20
MAX_CARD_BYTES = 2**20
MAX_CHECKPOINTS_BYTES = 8_000_000
MAX_INSIGHTS_BYTES = 64_000_000

_TRAIN = ("epoch", "seconds", "train_loss", "train_accuracy")
_VALIDATION = ("validation_loss", "validation_accuracy")
_TEST = ("test_loss", "test_accuracy")
HISTORY_COLUMNS = ((*_TRAIN, *_TEST), (*_TRAIN, *_VALIDATION))
"""What the header of `history.csv` may be: of the training of the model itself, or of one before it
with some training images held out for validation."""

Weights = dict[str, dict[str, NDArray[np.float32]]]
"""A layer's name to its weights by name ("kernel", "bias"); layers without any are left out."""

_FINGERPRINT = "model_sha256"
_REPOSITORY = MODELS_DIR.parents[1]


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model; nothing is read before a method asks for it.

    What a method reads raises `ModelError`, one sentence with the file and the remedy, where the
    file is damaged and, unless the method says otherwise, where it is missing.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, by which people choose the model."""
        return self.path.name

    @property
    def insights_command(self) -> str:
        """What to type where `insights` gives None."""
        return f"python -m core.insights {_shown(self.path)}"

    def network(self) -> Network:
        """Read `model.keras`."""
        path = self.path / NETWORK_FILE
        if not path.is_file():
            raise self._missing(path)
        try:
            return Network.load(path)
        except ModelError as error:
            # Its message begins with the file's name.
            raise ModelError(f"{_shown(self.path)}/{error}") from error

    def history(self) -> pd.DataFrame:
        """Read `history.csv`: a row an epoch, from 1.

        Returns:
            One of `HISTORY_COLUMNS`; `epoch` int64, the others float64. `seconds` is the time that
            the epoch's training took, accuracies are shares, 0 to 1. Beside test figures, those of
            the training images are means over the epoch, during which the weights change. Beside
            validation figures, they were taken after it, as those are, on as many images.
        """
        path = self.path / HISTORY_FILE
        content = self._read_text(path, MAX_HISTORY_BYTES)
        try:
            return _parse_history(content)
        except (csv.Error, ValueError) as error:
            raise self._damaged(path, str(error)) from error

    def checkpoint_epochs(self) -> tuple[int, ...]:
        """Return the epochs that `checkpoint` takes, ascending, from 0 to the last."""
        return self._epochs(self._checkpoints())

    def checkpoint(self, epoch: int) -> Weights:
        """Return the weights after an epoch.

        Args:
            epoch: One of `checkpoint_epochs()`: 0 for the untrained network. The last is read from
                `model.keras`; the others were rounded to float16.

        Raises:
            ModelError: A file is missing or damaged, or the weights are not the network's.
            ValueError: `epoch` is not one of `checkpoint_epochs()`.
        """
        arrays = self._checkpoints()
        epochs = self._epochs(arrays)
        if epoch not in epochs:
            raise ValueError(f"epoch {epoch} is not one of {epochs}")
        trained = {layer.name: dict(layer.weights) for layer in self.network().layers}
        trained = {layer: weights for layer, weights in trained.items() if weights}
        if epoch == epochs[-1]:
            return trained
        try:
            return {
                layer: {
                    name: _checkpoint_weight(arrays, f"{epoch}/{layer}/{name}", weight.shape)
                    for name, weight in weights.items()
                }
                for layer, weights in trained.items()
            }
        except ValueError as error:
            raise self._damaged(self.path / CHECKPOINTS_FILE, str(error)) from error

    def insights(self) -> Insights | None:
        """Read `insights.npz`; None where there is none.

        Raises:
            ModelError: The file is damaged, or was computed from another `model.keras`.
        """
        path = self.path / INSIGHTS_FILE
        if not path.exists():
            return None
        network = self.network()
        arrays = self._read_arrays(path, MAX_INSIGHTS_BYTES)
        if not np.array_equal(arrays.get(_FINGERPRINT, ()), self._fingerprint()):
            raise self._damaged(path, f"it was not computed from this {NETWORK_FILE}")
        try:
            return Insights.from_arrays(arrays, network)
        except ValueError as error:
            raise self._damaged(path, str(error)) from error

    def measure(self, split: Split, progress: Progress | None = None) -> Insights:
        """Compute what `insights` reads, with the accuracy at each checkpoint if there are any.

        Raises:
            ValueError: The network or the split is not one that insights are made of.
        """
        network = self.network()
        epochs = []
        if (self.path / CHECKPOINTS_FILE).exists():
            epochs = [
                network.with_weights(self.checkpoint(epoch)) for epoch in self.checkpoint_epochs()
            ]
        return compute(network, split, progress, epochs)

    def write_insights(self, insights: Insights) -> None:
        """Write `insights.npz`, which takes an earlier one's place once it is complete.

        Raises:
            OSError: It cannot be written; an earlier one is untouched.
        """
        arrays: dict[str, Any] = {**insights.to_arrays(), _FINGERPRINT: self._fingerprint()}
        unfinished = self.path / f".{secrets.token_hex(4)}.npz"
        try:
            np.savez(unfinished, **arrays)
            unfinished.replace(self.path / INSIGHTS_FILE)
        finally:
            unfinished.unlink(missing_ok=True)

    def card(self) -> str:
        """Read `card.md`, Markdown."""
        return self._read_text(self.path / CARD_FILE, MAX_CARD_BYTES)

    def _checkpoints(self) -> dict[str, NDArray[Any]]:
        return self._read_arrays(self.path / CHECKPOINTS_FILE, MAX_CHECKPOINTS_BYTES)

    def _epochs(self, checkpoints: Mapping[str, NDArray[Any]]) -> tuple[int, ...]:
        last = int(self.history()["epoch"].iloc[-1])
        names = {name.partition("/")[0] for name in checkpoints}
        stored = sorted(epoch for epoch in range(last) if str(epoch) in names)
        if len(stored) < len(names) or 0 not in stored:
            problem = f"its epochs are not 0 and others before {last}"
            raise self._damaged(self.path / CHECKPOINTS_FILE, problem)
        return (*stored, last)

    def _fingerprint(self) -> NDArray[np.uint8]:
        """Return what tells one `model.keras` from another, uint8 (32,)."""
        digest = hashlib.sha256((self.path / NETWORK_FILE).read_bytes()).digest()
        return np.frombuffer(digest, np.uint8)

    def _read_text(self, path: Path, limit: int) -> str:
        """Return a UTF-8 file of at most `limit` bytes."""
        if not path.is_file():
            raise self._missing(path)
        try:
            with path.open("rb") as stream:
                content = stream.read(limit + 1)
            text = content.decode()
        except (OSError, ValueError) as error:
            raise self._damaged(path, str(error)) from error
        if len(content) > limit:
            raise self._damaged(path, f"it is larger than {limit:,} bytes")
        return text

    def _read_arrays(self, path: Path, limit: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of an archive that unpacks to at most `limit` bytes."""
        if not path.is_file():
            raise self._missing(path)
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size <= limit:
                with np.load(path, allow_pickle=False) as arrays:
                    return {name: np.asarray(arrays[name]) for name in arrays.files}
        except Exception as error:
            # What zipfile and NumPy raise on damage follows no one type.
            raise self._damaged(path, "it is not an archive of NumPy arrays") from error
        raise self._damaged(path, f"it unpacks to more than {limit:,} bytes")

    def _missing(self, path: Path) -> ModelError:
        return ModelError(f"{_shown(path)} is missing: {self._remedy(path)} writes it.")

    def _damaged(self, path: Path, problem: str) -> ModelError:
        return ModelError(
            f"{_shown(path)} is damaged ({problem}): {self._remedy(path)} writes it anew."
        )

    def _remedy(self, path: Path) -> str:
        folder = _shown(self.path)
        if path.name == INSIGHTS_FILE:
            return f"`python -m core.insights {folder}`"
        return f"`python -m core.training --recipe {self.name} --output {folder} --replace`"


def find(models_dir: Path = MODELS_DIR) -> list[ModelFolder]:
    """Return the model folders in a directory, sorted by name; none where it does not exist.

    Every directory in it counts, so that a damaged model is named and not silently absent. Hidden
    ones do not: a training run writes into one until it is complete.
    """
    if not models_dir.is_dir():
        return []
    paths = (path for path in models_dir.iterdir() if path.is_dir())
    return [ModelFolder(path) for path in sorted(paths) if not path.name.startswith(".")]


def _parse_history(text: str) -> pd.DataFrame:
    """Parse `history.csv`; ValueError or csv.Error tells what is wrong with it."""
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


def _checkpoint_weight(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a stored weight as a read-only float32 array; ValueError if it cannot be right."""
    stored = arrays.get(name)
    if stored is None:
        raise ValueError(f"it has no {name}")
    if stored.dtype != np.float16 or stored.shape != shape or not np.isfinite(stored).all():
        raise ValueError(f"{name} is not a float16 array {shape} of finite numbers")
    weight = stored.astype(np.float32)
    weight.flags.writeable = False
    return weight


def _shown(path: Path) -> Path:
    """Return a path as commands take it in the repository, where the `python -m` ones are run."""
    path = path.absolute()
    return path.relative_to(_REPOSITORY) if path.is_relative_to(_REPOSITORY) else path
