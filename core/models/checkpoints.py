"""The file `checkpoints.npz`: weights before the first epoch of a training and after later ones.

Each array is named `EPOCH/LAYER/WEIGHT` and is float16. The last epoch is not stored: its weights
are in `model.keras`, at full precision.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, dict[str, NDArray[np.float32]]]
"""A layer's name to its weights by name ("kernel", "bias"); layers without any are left out."""


def parse_checkpoints(
    arrays: Mapping[str, NDArray[Any]], last_epoch: int, trained: Weights
) -> dict[int, Weights]:
    """Return the stored weights by epoch, ascending.

    Args:
        arrays: The contents of the file.
        last_epoch: The training's last epoch, which is not stored.
        trained: The weights after it, whose names and shapes the stored ones must have.

    Raises:
        ValueError: The file does not fit the network or the training; the message has the reason.
    """
    names = {name.partition("/")[0] for name in arrays}
    stored = [epoch for epoch in range(last_epoch) if str(epoch) in names]
    if len(stored) < len(names) or 0 not in stored:
        raise ValueError(f"its epochs are not 0 and others before {last_epoch}")
    return {epoch: _weights(arrays, epoch, trained) for epoch in stored}


def _weights(arrays: Mapping[str, NDArray[Any]], epoch: int, trained: Weights) -> Weights:
    return {
        layer: {
            name: _weight(arrays, f"{epoch}/{layer}/{name}", weight.shape)
            for name, weight in weights.items()
        }
        for layer, weights in trained.items()
    }


def _weight(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a stored weight as a read-only float32 array."""
    stored = arrays.get(name)
    if stored is None:
        raise ValueError(f"it has no {name}")
    if stored.dtype != np.float16 or stored.shape != shape or not np.isfinite(stored).all():
        raise ValueError(f"{name} is not a float16 array {shape} of finite numbers")
    weight = stored.astype(np.float32)
    weight.flags.writeable = False
    return weight
