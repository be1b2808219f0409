"""Where a window stands on a feature map, and which pixels of the image a unit depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True)
class Slide:
    """Positions of a window that slides along one axis of a feature map.

    Attributes:
        size: Cells of the map along the axis.
        window: Cells under the window.
        stride: Cells from one position of the window to the next.
        before, after: Cells of padding before the map's first cell and after its last.
    """

    size: int
    window: int = 1
    stride: int = 1
    before: int = 0
    after: int = 0

    @classmethod
    def padded(cls, size: int, window: int, stride: int, padding: str) -> Self:
        """Return the slide for Keras's `padding`, "valid" or "same".

        With "valid" there is no padding. With "same" there are ceil(size / stride) positions; the
        padding that this takes is split in two, and an odd cell goes after the map. It is always
        narrower than the window, so that no window lies on padding only.
        """
        total = 0
        if padding == "same":
            total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
        return cls(size, window, stride, before=total // 2, after=total - total // 2)

    @classmethod
    def whole(cls, size: int) -> Self:
        """Return the slide of a window that covers the whole axis and has one position."""
        return cls(size, window=size)

    @property
    def positions(self) -> int:
        """Number of positions of the window: cells of the output; below 1 if it does not fit."""
        return (self.before + self.size + self.after - self.window) // self.stride + 1

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last cell under the window at positions `first` to `last`.

        Cells are counted from the map's first one; those of the padding are below 0 or above
        `size` - 1.
        """
        return (
            first * self.stride - self.before,
            last * self.stride - self.before + self.window - 1,
        )

    def cells_inside(self) -> NDArray[np.intp]:
        """Return how many cells under the window are not padding, integers (positions,)."""
        start = np.arange(self.positions) * self.stride - self.before
        return np.minimum(start + self.window, self.size) - np.maximum(start, 0)

    def cells_at(self, offset: int) -> slice:
        """Return a slice of the padded axis: the cell `offset` of the window, at each position."""
        return slice(offset, offset + (self.positions - 1) * self.stride + 1, self.stride)


@dataclass(frozen=True)
class Field:
    """A rectangle of the input image, in pixels; it may reach over the image's edge."""

    top: int
    left: int
    height: int
    width: int

    def clip(self, height: int, width: int) -> Field:
        """Return the part of the field that lies on an image of that height and width."""
        top, left = max(self.top, 0), max(self.left, 0)
        bottom = min(self.top + self.height, height)
        right = min(self.left + self.width, width)
        return Field(top, left, max(bottom - top, 0), max(right - left, 0))

    def of(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        """Return the pixels of an image (h, w) in a field that was clipped to it."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]
