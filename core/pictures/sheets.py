"""Many maps in one picture: a sheet of 64 maps is a few kilobytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.pictures.png import png_uri
from core.pictures.scales import AnyArray, FloatArray, Scale, to_indices

SHEET_COLUMNS = 8
"""Maps in a row of a feature sheet."""


def tile(maps: AnyArray, columns: int) -> npt.NDArray[np.generic]:
    """Return maps (h, w, n) side by side, row by row: (rows·h, columns·w); missing cells are 0."""
    height, width, count = maps.shape
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width), maps.dtype)
    cells[:count] = np.moveaxis(maps, 2, 0)
    sheet = cells.reshape(rows, columns, height, width).swapaxes(1, 2)  # (rows, h, columns, w)
    return sheet.reshape(rows * height, columns * width)


def sheet_uri(maps: AnyArray, columns: int, scale: Scale | None) -> str:
    """Return maps in one picture, as the `src` of an image element.

    Args:
        maps: Array (h, w, n).
        columns: Maps in a row of the picture.
        scale: The colours of all maps; None gives each map a scale of its own.
    """
    if scale is None:
        # One palette serves all maps of the picture: a single signed map makes all diverging.
        palette = Scale.of(np.asarray(maps, np.float32)).palette
        largest = np.abs(maps).max(axis=(0, 1), initial=0.0)
        maps = maps / np.where(largest > 0, largest, 1)
        scale = Scale(-1 if palette == "diverging" else 0, 1, palette)
    entries = to_indices(tile(maps, columns), scale)
    # A quarter of the shades, which no eye can tell apart in cells this small, make the largest
    # message of an image's change a fifth smaller.
    return png_uri(entries & np.uint8(0xFC), scale.palette)


def strongest(maps: FloatArray, count: int) -> list[int]:
    """Return the indices of the `count` maps of (h, w, n) with the highest peak, highest first."""
    peaks = maps.max(axis=(0, 1))  # (n,)
    return [int(index) for index in np.argsort(-peaks, kind="stable")[:count]]
