"""Array, Shape and ModelError: the types that all modules of the package use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Shape = tuple[int, ...]


class ModelError(Exception):
    """A model cannot be opened; the message is one sentence for the person who chose the file."""
