"""Colour palettes of arrays, and the colours of the data splits.

All palettes are colour-blind-safe: viridis and the greys rise evenly in lightness, and the ends of
red-blue differ for every common form of colour blindness.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import matplotlib
import numpy as np

Palette = Literal["sequential", "diverging", "grey"]
PALETTES: dict[Palette, str] = {"sequential": "viridis", "diverging": "RdBu_r", "grey": "gray"}
"""Matplotlib's name of each palette."""

# Of Okabe and Ito's colour-blind-safe set.
SPLIT_COLOURS = {"train": "#0072b2", "validation": "#e69f00", "test": "#d55e00"}


@cache
def palette_rgb(palette: Palette) -> bytes:
    """Return the 256 colours of a palette, three bytes (red, green, blue) per colour."""
    colours = matplotlib.colormaps[PALETTES[palette]](np.arange(256), bytes=True)  # (256, 4)
    return bytes(colours[:, :3].tobytes())


@cache
def colour_stops(palette: Palette, count: int = 9) -> tuple[str, ...]:
    """Return `count` colours, evenly spaced along the palette, as `#rrggbb`."""
    colours = np.frombuffer(palette_rgb(palette), np.uint8).reshape(256, 3)
    picked = colours[np.linspace(0, 255, count).round().astype(int)]
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in picked)
