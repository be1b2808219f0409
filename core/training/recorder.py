"""Record the history and the checkpoints of a training, and report its progress, from callbacks."""

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.command_line.progress import Progress
from core.training.errors import TrainingError
from core.training.recipes import Recipe

MAX_CHECKPOINTS = 15
"""Epochs that can be looked at, the untrained network and the last epoch included."""

Examples = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Images (n, 28, 28, 1) as the network takes them, and their labels as probabilities (n, 10)."""


def checkpoint_epochs(epochs: int) -> set[int]:
    """Return the epochs whose weights are stored in a training of `epochs` epochs: 0 and others,
    evenly spread."""
    count = min(epochs + 1, MAX_CHECKPOINTS)
    # The weights after the last epoch are in model.keras.
    return {round(epoch) for epoch in np.linspace(0, epochs, count)} - {epochs}


class Recorder:
    """Records the history and the checkpoints of a training; its methods are Keras's callbacks.

    Attributes:
        history: One row per finished epoch, in columns of `HISTORY_COLUMNS`.
        checkpoints: float16 weights by their names in `checkpoints.npz`.
    """

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        steps: int,
        evaluated: Mapping[str, Examples],
        progress: Progress | None,
    ) -> None:
        """Record the untrained network.

        Args:
            model: The compiled `keras.Sequential`.
            recipe: How it is trained.
            steps: Steps per epoch.
            evaluated: Images to evaluate on after each epoch, by the prefix of their columns.
            progress: Called after each step.
        """
        self.history: list[dict[str, float]] = []
        self.checkpoints: dict[str, NDArray[np.float16]] = {}
        self._model = model
        self._recipe = recipe
        self._steps = steps
        self._evaluated = evaluated
        self._progress = progress
        self._epoch_started = 0.0
        self._checkpoint_epochs = checkpoint_epochs(recipe.epochs)
        self._keep_weights(0)

    def on_epoch_begin(self, _epoch: int, _logs: object) -> None:
        """Start the epoch's clock."""
        self._epoch_started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        """Report the progress.

        Raises:
            TrainingError: The loss is not a finite number any more.
        """
        epoch = len(self.history) + 1
        loss, accuracy = logs["loss"], logs["accuracy"]
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {epoch}: lower the recipe's learning rate, or try"
                " another --seed."
            )
        if self._progress:
            share = (epoch - 1 + (batch + 1) / self._steps) / self._recipe.epochs
            where = f"epoch {epoch}/{self._recipe.epochs}"
            self._progress(share, f"{where}  loss {loss:.4f}  accuracy {accuracy:.4f}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Evaluate the network and add a row to the history; store the weights of some epochs."""
        row = {"epoch": epoch + 1, "seconds": round(time.monotonic() - self._epoch_started, 1)}
        figures = {"train": logs} | {
            split: self._model.evaluate(images, labels, verbose=0, return_dict=True)
            for split, (images, labels) in self._evaluated.items()
        }
        for split, values in figures.items():
            for measure in ("loss", "accuracy"):
                row[f"{split}_{measure}"] = round(values[measure], 6)
        self.history.append(row)
        self._keep_weights(epoch + 1)

    def _keep_weights(self, epoch: int) -> None:
        if epoch not in self._checkpoint_epochs:
            return
        for layer in self._model.layers:
            for weight in layer.trainable_weights:
                name = f"{epoch}/{layer.name}/{weight.name}"
                self.checkpoints[name] = weight.numpy().astype(np.float16)
