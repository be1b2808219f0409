"""Separation of two classes by each filter, and the accuracy lost when it is switched off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.evidence import statistics
from core.evidence.insights import Insights

Array = NDArray[np.float64]

# A layer's best eighth of filters is marked: 8 of 64, a row of the grid of feature maps.
MARKED_FRACTION = 8
# A drop counts images lost less images won. Even if none was won, up to five lost may be chance: as
# many tosses of a coin come out alike more often than once in twenty times (2 · 0.5⁵ = 0.06).
LEAST_IMAGES = 6


@dataclass(frozen=True, eq=False)
class Separation:
    """Separation of two classes by the F filters of a convolution, and the cost without each.

    Attributes:
        auc: (F,), the share of pairs, an image of the first class and one of the second, in which
            that of the first has the larger mean response; equal ones count half.
        low, high: (F,), its 95 % interval (DeLong).
        images: How many images the two classes have.
        right: How many of them the network gets right when only the two logits compete.
        lost: integers (F,), how many fewer it gets right with this filter alone off.
    """

    auc: Array
    low: Array
    high: Array
    images: int
    right: int
    lost: NDArray[np.intp]

    @cached_property
    def strength(self) -> Array:
        """Distance of each AUC from no difference, |AUC − 0.5|, (F,)."""
        strength: Array = np.abs(self.auc - 0.5)
        return strength

    @cached_property
    def drop(self) -> Array:
        """Percentage points by which the pair accuracy falls without each filter, (F,)."""
        drop: Array = 100 * self.lost / self.images
        return drop

    @cached_property
    def separates(self) -> NDArray[np.bool_]:
        """Mask of the best eighth by strength whose interval does not contain 0.5, (F,)."""
        return _among_largest(self.strength) & ((self.low > 0.5) | (self.high < 0.5))

    @cached_property
    def needed(self) -> NDArray[np.bool_]:
        """Mask of the eighth with the largest drop, of `LEAST_IMAGES` or more, (F,)."""
        return _among_largest(self.lost) & (self.lost >= LEAST_IMAGES)

    @property
    def falling(self) -> list[int]:
        """The filters in descending order of AUC; of equal ones the lower number first."""
        return [int(index) for index in np.argsort(-self.auc, kind="stable")]

    @property
    def strongest(self) -> list[int]:
        """The filters in descending order of strength; of equal ones the lower number first."""
        return [int(index) for index in np.argsort(-self.strength, kind="stable")]

    @property
    def agreement(self) -> float:
        """Spearman's rank correlation of strength and drop; 0 where one of them is the same for
        all filters."""
        return statistics.spearman(self.strength, self.drop)


def separation(insights: Insights, layer: str, first: int, second: int, images: int) -> Separation:
    """Return how well a convolution's filters separate two classes, labels 0–9.

    Args:
        insights: Measurements of the network.
        layer: Name of the convolution.
        first, second: The classes.
        images: How many images the two have in the split that was measured.
    """
    filters = insights.filters[layer]
    auc = filters.auc[:, first, second].astype(np.float64)
    half = statistics.Z_95 * filters.auc_error[:, first, second].astype(np.float64)
    # Whole images, so that equal drops are equal: shares are kept in single precision.
    right = round(images * float(insights.pair_accuracy[first, second]))
    without = filters.ablation_pair_accuracy[:, first, second].astype(np.float64)
    return Separation(
        auc,
        np.clip(auc - half, 0, 1),
        np.clip(auc + half, 0, 1),
        images,
        right,
        right - np.rint(images * without).astype(np.intp),
    )


def _among_largest(values: NDArray[np.number]) -> NDArray[np.bool_]:
    """Return a mask of the largest eighth, at least one, with all that equal the last of them."""
    count = max(len(values) // MARKED_FRACTION, 1)
    among: NDArray[np.bool_] = values >= np.sort(values)[-count]
    return among
