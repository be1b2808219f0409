"""Colour scales: which value of an array gets which colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.pictures.colours import Palette

FloatArray = npt.NDArray[np.floating]
AnyArray = npt.NDArray[np.generic]
IndexArray = npt.NDArray[np.uint8]
"""Palette entries, 0 to 255."""


@dataclass(frozen=True)
class Scale:
    """A colour scale: `low` gets the first colour of the palette, `high` the last."""

    low: float
    high: float
    palette: Palette

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """Return the scale on which all of `values` fit.

        Values without a sign run from 0 to their maximum on the sequential palette. As soon as
        one is negative the scale is diverging and zero-centred: from −max|v| to max|v|, so that
        the pale middle is always 0. Where all values are 0 the upper end is 1.
        """
        if float(values.min(initial=0.0)) < 0:
            return cls.centred(values)
        return cls(0.0, float(values.max(initial=0.0)) or 1.0, "sequential")

    @classmethod
    def centred(cls, values: FloatArray) -> Scale:
        """Return the diverging scale from −max|v| to max|v|, for weights and the like."""
        largest = float(np.abs(values).max(initial=0.0)) or 1.0
        return cls(-largest, largest, "diverging")


PIXELS = Scale(0, 255, "grey")
"""The scale of the images themselves."""


def to_indices(values: AnyArray, scale: Scale) -> IndexArray:
    """Return the palette entries 0–255 of values of any shape, clipped at the scale's ends."""
    share = (values.astype(np.float32) - scale.low) * (255 / (scale.high - scale.low))
    entries: IndexArray = np.clip(np.rint(share), 0, 255).astype(np.uint8)
    return entries


def common_scales(versions: Sequence[FloatArray]) -> tuple[Scale, ...]:
    """Return a scale for each map on which all of its versions fit.

    All scales have the same palette, diverging as soon as one value is negative.

    Args:
        versions: Arrays (h, w, n) of the same n maps, for example one array per epoch.
    """
    signed = any(float(maps.min(initial=0.0)) < 0 for maps in versions)
    sizes = map(np.abs, versions) if signed else versions
    largest = np.max([maps.max(axis=(0, 1), initial=0.0) for maps in sizes], axis=0)  # (n,)
    largest[largest == 0] = 1
    return tuple(
        Scale(-high, high, "diverging") if signed else Scale(0.0, high, "sequential")
        for high in largest.tolist()
    )
