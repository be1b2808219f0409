"""Model folders: which files they hold, and how each is read.

A folder in `assets/models` offers its model to the app under the folder's name:

- `model.keras`: the network after the last epoch, as Keras saves it. Only this one is required.
- `history.csv`: loss and accuracy after each epoch (`HISTORY_COLUMNS`).
- `checkpoints.npz`: weights before the first epoch (epoch 0) and after others, float16, named
  `EPOCH/LAYER/WEIGHT`. The last epoch is left out: it is in `model.keras`, at full precision.
- `insights.npz`: what the filters do over the whole test split (`core.insights`).
- `card.md`: what the model was trained on, how, and what it is worth, for people to read.

The files may come from anywhere: nothing in them is executed, their sizes are bounded, and a
damaged file is a `ModelError` that names the file and the remedy. A missing optional file is no
error.

A folder may be replaced while the app shows its model. `ModelFolder.read` therefore reads all files
at one moment; whoever shows a model keeps the `ModelFiles` that it returns.
"""

import contextlib
import csv
import hashlib
import io
import math
import os
import secrets
import stat
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.command_line.progress import Progress
from core.dataset import Split
from core.evidence.insights import Insights
from core.evidence.measure import compute
from core.network import ModelError, Network
from core.network.keras_file import MAX_CONFIG_BYTES, MAX_WEIGHTS_BYTES
from core.paths import REPOSITORY, readable, shell_word, shown

MODELS_DIR = REPOSITORY / "assets" / "models"

NETWORK_FILE = "model.keras"
HISTORY_FILE = "history.csv"
CHECKPOINTS_FILE = "checkpoints.npz"
INSIGHTS_FILE = "insights.npz"
CARD_FILE = "card.md"
MAX_BYTES = {
    NETWORK_FILE: MAX_CONFIG_BYTES + MAX_WEIGHTS_BYTES,
    HISTORY_FILE: 2**20,
    CHECKPOINTS_FILE: 8_000_000,
    INSIGHTS_FILE: 64_000_000,
    CARD_FILE: 2**20,
}
"""The files of a model folder, and how large each may be, archives also when unpacked."""
FILES = frozenset(MAX_BYTES)

MEASURING_PREFIX = ".measuring"
"""What the names of files begin with that exist only while a model's insights are computed."""
MEASURING_TIMEOUT_S = 60.0
"""A measurement that has not reported for so long was killed."""
MAX_MEASURING_BYTES = 100
MAX_READS = 20
"""How often a folder is read that changes while it is read."""

_TRAIN = ("epoch", "seconds", "train_loss", "train_accuracy")
_VALIDATION = ("validation_loss", "validation_accuracy")
_TEST = ("test_loss", "test_accuracy")
HISTORY_COLUMNS = ((*_TRAIN, *_TEST), (*_TRAIN, *_VALIDATION))
"""What the header of `history.csv` may be: of the training of the model itself, or of one before it
with some training images held out for validation."""

Weights = dict[str, dict[str, NDArray[np.float32]]]
"""A layer's name to its weights by name ("kernel", "bias"); layers without any are left out."""

_FINGERPRINT = "model_sha256"

Stamp = tuple[int, int, int]
"""Modification time (ns), size (bytes) and inode of a file: they change with its contents."""


class ModelReplaced(ModelError):
    """The folder holds another version of the model than the one that was asked for."""


@dataclass(frozen=True)
class ModelFolder:
    """A place where a model is, or may be; nothing is read before a method asks for it."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name as printable text, by which people choose the model."""
        return readable(self.path.name)

    @property
    def insights_command(self) -> str:
        """The command that computes the model's insights."""
        return f"python -m core.insights {shell_word(self.path)}"

    def stamps(self) -> tuple[Stamp | None, ...]:
        """Return a stamp of each file, in the order of `MAX_BYTES`; None for a missing one."""
        return tuple(_stamp(self.path / name) for name in MAX_BYTES)

    def read(self) -> "ModelFiles":
        """Read all files, as they were at one moment.

        Raises:
            ModelReplaced: There is no folder, or it changed each time that it was read.
        """
        for _ in range(MAX_READS):
            if not self.path.is_dir():
                raise ModelReplaced(f"There is no folder {shown(self.path)}: choose another model.")
            read = {name: _read_bytes(self.path / name) for name in MAX_BYTES}
            stamps = tuple(stamp for _, stamp in read.values())
            if self.stamps() == stamps and self.path.is_dir():
                contents = {name: content for name, (content, _) in read.items()}
                network, fingerprint = self._parse_network(contents.pop(NETWORK_FILE))
                return ModelFiles(self, stamps, network, fingerprint, contents)
        raise ModelReplaced(f"{shown(self.path)} changes while it is read: try again.")

    def measure(self, split: Split, progress: Progress | None = None) -> Insights:
        """Compute the insights and write `insights.npz`; meanwhile `being_measured` has the share.

        Raises:
            InsightsError: openTSNE is not installed.
            ModelError: The model cannot be read, its numbers are too large, or it was replaced
                meanwhile.
            ValueError: The network or the split is not one that insights are made of.
            OSError: The folder cannot be written to; an earlier `insights.npz` is untouched.
        """
        files = self.read()
        with self._report() as report:

            def report_twice(share: float, words: str) -> None:
                report(share)
                if progress:
                    progress(share, words)

            insights = files.measure(split, report_twice)
            self.write_insights(insights, files)
        return insights

    def being_measured(self) -> float | None:
        """Return which share of its insights a running command has computed, 0 to 1.

        Returns:
            None if no command is computing them.
        """
        path = self.path / MEASURING_PREFIX
        stamp = _stamp(path)
        if stamp is None or time.time() - stamp[0] / 1e9 > MEASURING_TIMEOUT_S:
            return None
        content, _ = _read_bytes(path)
        try:
            share = float(content) if isinstance(content, bytes) else 0.0
        except ValueError:  # it is being written
            return 0.0
        return share if 0 <= share <= 1 else 0.0

    def write_insights(self, insights: Insights, files: "ModelFiles") -> None:
        """Write `insights.npz`, which takes an earlier one's place once it is complete.

        Args:
            insights: What to write.
            files: The files that it was computed from.

        Raises:
            ModelReplaced: `model.keras` is not the one in `files` any more.
            OSError: It cannot be written; an earlier one is untouched.
        """
        arrays: dict[str, Any] = {**insights.to_arrays(), _FINGERPRINT: files.fingerprint}
        unfinished = self.path / f"{MEASURING_PREFIX}-{secrets.token_hex(4)}.npz"
        try:
            np.savez(unfinished, **arrays)
            if _stamp(self.path / NETWORK_FILE) != files.stamps[0]:
                raise ModelReplaced(
                    f"{shown(self.path / NETWORK_FILE)} was replaced while it was measured: "
                    f"`{self.insights_command}` measures the new one."
                )
            unfinished.replace(self.path / INSIGHTS_FILE)
        finally:
            unfinished.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _report(self) -> Iterator[Callable[[float], None]]:
        """Yield a function that writes how far a measurement is, at most once a second."""
        path = self.path / MEASURING_PREFIX
        written = -math.inf

        def report(share: float) -> None:
            nonlocal written
            if time.monotonic() - written >= 1:
                path.write_text(f"{share:.2f}")
                written = time.monotonic()

        try:
            report(0)
            yield report
        finally:
            path.unlink(missing_ok=True)

    def _parse_network(
        self, content: bytes | str | None
    ) -> tuple[Network | str, NDArray[np.uint8]]:
        """Return the network, or why there is none, and the SHA-256 of its file, uint8 (32,)."""
        name, nothing = shown(self.path / NETWORK_FILE), np.zeros(0, np.uint8)
        if content is None:
            words = "put a .keras file of that name there, or remove the folder"
            return f"{name} is missing: {words}.", nothing
        if isinstance(content, str):
            return f"{name} cannot be read ({content}).", nothing
        try:
            network = Network.load(io.BytesIO(content), name)
        except ModelError as error:
            return str(error), nothing
        return network, np.frombuffer(hashlib.sha256(content).digest(), np.uint8)


@dataclass(frozen=True, eq=False)
class ModelFiles:
    """The contents of a model folder at one moment.

    Its methods raise `ModelError`, one sentence with the file and the remedy, for a damaged file.

    Attributes:
        folder: Where they were read.
        stamps: As `ModelFolder.stamps` at that moment.
        fingerprint: SHA-256 of `model.keras`, uint8 (32,); empty if it could not be read.
    """

    folder: ModelFolder
    stamps: tuple[Stamp | None, ...]
    _network: Network | str  # or why there is none
    fingerprint: NDArray[np.uint8]
    _contents: Mapping[str, bytes | str | None]  # or why it cannot be read; None if it is missing

    def network(self) -> Network:
        """Return the network of `model.keras`.

        Raises:
            ModelError: The file is missing or damaged, or has something that is not supported.
        """
        if isinstance(self._network, str):
            raise ModelError(self._network)
        return self._network

    def history(self) -> pd.DataFrame | None:
        """Return `history.csv`: a row per epoch, from 1; None if the model came without it.

        Returns:
            One of `HISTORY_COLUMNS`; `epoch` int64, the others float64. `seconds` is the time that
            the epoch's training took, accuracies are shares, 0 to 1. Beside test figures, those of
            the training images are means over the epoch, during which the weights change. Beside
            validation figures, they were taken after it, as those are, on as many images.
        """
        content = self._text(HISTORY_FILE)
        if content is None:
            return None
        try:
            return _parse_history(content)
        except (csv.Error, ValueError) as error:
            raise self._damaged(HISTORY_FILE, str(error)) from error

    def checkpoints(self) -> dict[int, Weights]:
        """Return the weights before the first epoch (0) and after others, ascending, to the last.

        The last epoch's are those of `model.keras`; the others were rounded to float16.

        Returns:
            Nothing if the model came without checkpoints or without a history.

        Raises:
            ModelError: A file is damaged, or the weights are not the network's.
        """
        arrays, history = self._arrays(CHECKPOINTS_FILE), self.history()
        if arrays is None or history is None:
            return {}
        last = int(history["epoch"].iloc[-1])
        names = {name.partition("/")[0] for name in arrays}
        stored = [epoch for epoch in range(last) if str(epoch) in names]
        if len(stored) < len(names) or 0 not in stored:
            problem = f"its epochs are not 0 and others before {last}"
            raise self._damaged(CHECKPOINTS_FILE, problem)
        trained = {layer.name: dict(layer.weights) for layer in self.network().layers}
        trained = {layer: weights for layer, weights in trained.items() if weights}
        try:
            early = {epoch: _checkpoint(arrays, epoch, trained) for epoch in stored}
        except ValueError as error:
            raise self._damaged(CHECKPOINTS_FILE, str(error)) from error
        return early | {last: trained}

    def insights(self) -> Insights | None:
        """Return `insights.npz`; None if there is none.

        Raises:
            ModelError: A file is damaged, or it was computed from another `model.keras`.
        """
        arrays = self._arrays(INSIGHTS_FILE)
        if arrays is None:
            return None
        network = self.network()
        if not np.array_equal(arrays.get(_FINGERPRINT, ()), self.fingerprint):
            raise self._damaged(INSIGHTS_FILE, f"it was not computed from this {NETWORK_FILE}")
        try:
            return Insights.from_arrays(arrays, network)
        except ValueError as error:
            raise self._damaged(INSIGHTS_FILE, str(error)) from error

    def card(self) -> str | None:
        """Return `card.md`, Markdown from whoever made the model; None if there is none."""
        return self._text(CARD_FILE)

    def measure(self, split: Split, progress: Progress | None = None) -> Insights:
        """Compute the insights, with the accuracy at each checkpoint if there are any.

        Raises:
            InsightsError: openTSNE is not installed.
            ModelError: The network cannot be read, or its numbers are too large.
            ValueError: The network or the split is not one that insights are made of.
        """
        network = self.network()
        epochs = [network.with_weights(weights) for weights in self.checkpoints().values()]
        return compute(network, split, progress, epochs)

    def _content(self, name: str) -> bytes | None:
        """Return a file's bytes; None if it is missing."""
        content = self._contents[name]
        if isinstance(content, str):
            raise self._damaged(name, content)
        return content

    def _text(self, name: str) -> str | None:
        """Return a UTF-8 file; None if it is missing."""
        content = self._content(name)
        try:
            return None if content is None else content.decode()
        except ValueError as error:
            raise self._damaged(name, "it is not UTF-8 text") from error

    def _arrays(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of an archive; None if it is missing."""
        content = self._content(name)
        if content is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size <= MAX_BYTES[name]:
                with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                    return {key: np.asarray(arrays[key]) for key in arrays.files}
        except Exception as error:
            # zipfile and NumPy raise many types of error for a damaged archive.
            raise self._damaged(name, "it is not an archive of NumPy arrays") from error
        raise self._damaged(name, f"it unpacks to more than {MAX_BYTES[name]:,} bytes")

    def _damaged(self, name: str, problem: str) -> ModelError:
        if name == INSIGHTS_FILE:
            remedy = f"`{self.folder.insights_command}` computes it again"
        else:
            remedy = "restore it, or delete it and do without"
        return ModelError(f"{shown(self.folder.path / name)} is damaged ({problem}): {remedy}.")


def find(models_dir: Path = MODELS_DIR) -> list[ModelFolder]:
    """Return the model folders in a directory, sorted by name; none where it does not exist.

    Every directory in it counts, so that a damaged model is named and not silently absent. Hidden
    ones do not: a training run writes into one until it is complete.

    Raises:
        ModelError: The directory cannot be read.
    """
    try:
        with os.scandir(models_dir) as entries:
            names = [entry.name for entry in entries if Path(entry).is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ModelError(f"{shown(models_dir)} cannot be read ({error.strerror}).") from error
    return [ModelFolder(models_dir / name) for name in sorted(names) if not name.startswith(".")]


def _stamp(path: Path) -> Stamp | None:
    """Return a file's stamp; None if there is none, or if it cannot be known."""
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None


def _stamp_of(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read_bytes(path: Path) -> tuple[bytes | str | None, Stamp | None]:
    """Read a file.

    Returns:
        Its bytes, or why it cannot be read, or None if it is missing; and the stamp of what was
        read.
    """
    limit = MAX_BYTES.get(path.name, MAX_MEASURING_BYTES)
    stamp = None
    try:
        status = path.stat()
        stamp = _stamp_of(status)
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for a writer
            return "it is not a file", stamp
        with path.open("rb") as stream:
            # Another file may have come there since.
            stamp = _stamp_of(os.fstat(stream.fileno()))
            content = stream.read(limit + 1) if stamp[1] <= limit else b""
    except (FileNotFoundError, NotADirectoryError):
        return ("it is a link to nothing" if path.is_symlink() else None), None
    except OSError as error:
        return error.strerror or str(error), stamp
    if max(stamp[1], len(content)) > limit:
        return f"it is larger than {limit:,} bytes", stamp
    return content, stamp


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


def _checkpoint(arrays: Mapping[str, NDArray[Any]], epoch: int, like: Weights) -> Weights:
    """Return the stored weights of an epoch, with the names and shapes of others; or ValueError."""
    return {
        layer: {
            name: _checkpoint_weight(arrays, f"{epoch}/{layer}/{name}", weight.shape)
            for name, weight in weights.items()
        }
        for layer, weights in like.items()
    }


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
