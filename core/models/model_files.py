"""The files of a model folder, and their contents at one moment.

- `model.keras`: the network after the last epoch, as Keras saves it. Only this file is required.
- `history.csv`: loss and accuracy after each epoch (`core.models.history`).
- `checkpoints.npz`: weights before the first epoch (epoch 0) and after later ones
  (`core.models.checkpoints`).
- `insights.npz`: responses of the filters over the whole test split (`core.evidence.insights`).
- `card.md`: what the model was trained on, how, and how good it is, for people to read.

The files may come from anywhere: nothing in them is executed, their sizes are bounded, and a
damaged file is a `ModelError` that names the file and the remedy. A missing optional file is no
error.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.command_line.progress import Progress
from core.dataset import Split
from core.evidence.insights import Insights
from core.evidence.measure import compute
from core.models.checkpoints import Weights, parse_checkpoints
from core.models.history import parse_history
from core.models.reading import Stamp
from core.network import ModelError, Network
from core.network.keras_file import MAX_CONFIG_BYTES, MAX_WEIGHTS_BYTES
from core.paths import shown

if TYPE_CHECKING:
    from core.models.model_folder import ModelFolder

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
"""Largest size of each file of a model folder; of an archive also when unpacked."""
FILES = frozenset(MAX_BYTES)

_FINGERPRINT = "model_sha256"  # in `insights.npz`: the `model.keras` that it was computed from


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

    @classmethod
    def of(
        cls,
        folder: ModelFolder,
        stamps: tuple[Stamp | None, ...],
        contents: Mapping[str, bytes | str | None],
    ) -> ModelFiles:
        """Parse `model.keras`; the other files are parsed when they are asked for.

        Args:
            folder: Where the files were read.
            stamps: Their stamps, in the order of `MAX_BYTES`.
            contents: For each of `FILES`: its bytes, or a few words on why it cannot be read, or
                None if it is missing.
        """
        network, fingerprint = _parse_network(
            shown(folder.path / NETWORK_FILE), contents[NETWORK_FILE]
        )
        others = {name: content for name, content in contents.items() if name != NETWORK_FILE}
        return cls(folder, stamps, network, fingerprint, others)

    def network(self) -> Network:
        """Return the network of `model.keras`.

        Raises:
            ModelError: The file is missing or damaged, or has something that is not supported.
        """
        if isinstance(self._network, str):
            raise ModelError(self._network)
        return self._network

    def history(self) -> pd.DataFrame | None:
        """Return `history.csv`: one row per epoch, from 1; None if it is missing.

        Returns:
            Columns as one of `HISTORY_COLUMNS`; `epoch` int64, the others float64. `seconds` is the
            time that the epoch's training took, accuracies are shares, 0 to 1. Beside test figures,
            those of the training images are means over the epoch, during which the weights change.
            Beside validation figures, they were taken after it, as those are, on as many images.
        """
        content = self._text(HISTORY_FILE)
        if content is None:
            return None
        try:
            return parse_history(content)
        except (csv.Error, ValueError) as error:
            raise self._damaged(HISTORY_FILE, str(error)) from error

    def checkpoints(self) -> dict[int, Weights]:
        """Return the weights before the first epoch (0), after later ones and after the last.

        The last epoch's are those of `model.keras`; the others were rounded to float16.

        Returns:
            Epoch to weights, ascending; empty if the checkpoints or the history are missing.

        Raises:
            ModelError: A file is damaged, or the weights are not the network's.
        """
        arrays, history = self._arrays(CHECKPOINTS_FILE), self.history()
        if arrays is None or history is None:
            return {}
        last = int(history["epoch"].iloc[-1])
        trained = {layer.name: dict(layer.weights) for layer in self.network().layers}
        trained = {layer: weights for layer, weights in trained.items() if weights}
        try:
            return parse_checkpoints(arrays, last, trained) | {last: trained}
        except ValueError as error:
            raise self._damaged(CHECKPOINTS_FILE, str(error)) from error

    def insights(self) -> Insights | None:
        """Return `insights.npz`; None if it is missing.

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

    def insights_arrays(self, insights: Insights) -> dict[str, Any]:
        """Return the arrays to store in `insights.npz` for insights computed from these files."""
        return {**insights.to_arrays(), _FINGERPRINT: self.fingerprint}

    def card(self) -> str | None:
        """Return `card.md`, Markdown of unknown origin; None if it is missing."""
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


def _parse_network(
    name: str, content: bytes | str | None
) -> tuple[Network | str, NDArray[np.uint8]]:
    """Return the network, or why there is none, and the SHA-256 of its file, uint8 (32,).

    Args:
        name: The file as error messages name it.
        content: As in `ModelFiles.of`.
    """
    no_fingerprint = np.zeros(0, np.uint8)
    if content is None:
        words = "put a .keras file of that name there, or remove the folder"
        return f"{name} is missing: {words}.", no_fingerprint
    if isinstance(content, str):
        return f"{name} cannot be read ({content}).", no_fingerprint
    try:
        network = Network.load(io.BytesIO(content), name)
    except ModelError as error:
        return str(error), no_fingerprint
    return network, np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
