"""Maps that change with the epoch, as small integers that the browser colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.pictures.scales import FloatArray, IndexArray, Scale, common_scales

SHADES = 65
"""Number of shades. Odd, so that 0 has the middle of the diverging palette."""


def shades(epochs: Sequence[FloatArray]) -> tuple[IndexArray, tuple[Scale, ...]]:
    """Return maps at several epochs as shades, and each map's scale for all epochs.

    A shade is a number below `SHADES`: the place in as many colours, evenly spaced along the
    palette, which is the same for all maps.

    Args:
        epochs: The maps (h, w, n) at each epoch.

    Returns:
        The shades (n, h, w, epochs), and n scales.
    """
    scales = common_scales(epochs)
    largest = np.array([scale.high for scale in scales], np.float32)
    last = SHADES - 1
    steps, zero = (last / 2, last / 2) if scales[0].palette == "diverging" else (last, 0)
    taken = np.empty((len(epochs), *epochs[0].shape), np.uint8)  # (epochs, h, w, n)
    for place, maps in zip(taken, epochs, strict=True):
        share = maps / largest
        share *= steps
        share += zero + 0.5  # the conversion truncates, so this rounds
        place[...] = share
    # A cell hardly changes from epoch to epoch, so its values compress best beside each other.
    return np.ascontiguousarray(np.moveaxis(taken, (0, 3), (3, 0))), scales
