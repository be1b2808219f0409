"""The statistics that the pages show, each with the source of its formula."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Two-sided 95 % of a normal distribution lie within this many standard deviations.
Z_95 = 1.959963984540054


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, given `right` of `count` cases (Wilson, 1927).

    Unlike the normal approximation it stays within 0 and 1, and has a width when all cases are
    right.

    Raises:
        ValueError: There is no case, or `right` is not between 0 and `count`.
    """
    if not 0 <= right <= count or count == 0:
        raise ValueError(f"{right} of {count} is not a share")
    share, weight = right / count, Z_95**2 / count
    centre = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight**2 / 4) / (1 + weight)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def auc(above: Array, below: Array) -> tuple[float, float]:
    """Return the area under the ROC curve and its standard error.

    The area is the share of pairs, one value of each group, in which that of `above` is the larger
    one; a pair of equal values counts half. So 0.5 is no difference, and 1 perfect separation.

    Args:
        above, below: The two groups' values, each sorted, two or more.

    Returns:
        The area, 0 to 1, and its standard error, 0 if the groups do not overlap at all.

    Source: DeLong, DeLong and Clarke-Pearson, 1988.
    """
    # For each value the share of the other group that it exceeds.
    exceeds = _share_below(above, below)
    exceeded = 1 - _share_below(below, above)
    variance = exceeds.var(ddof=1) / len(above) + exceeded.var(ddof=1) / len(below)
    return float(exceeds.mean()), math.sqrt(variance)


def _share_below(values: NDArray[np.number], others: NDArray[np.number]) -> Array:
    """Return for each value the share of the sorted `others` below it; equal ones count half."""
    smaller = np.searchsorted(others, values, "left")
    not_larger = np.searchsorted(others, values, "right")
    shares: Array = (smaller + not_larger) / (2 * len(others))
    return shares


def spearman(first: NDArray[np.number], second: NDArray[np.number]) -> float:
    """Return Spearman's rank correlation of two lists of equal length, −1 to 1 (Spearman, 1904).

    It is Pearson's correlation of the ranks, where equal values share their mean rank; 0 if one
    list has the same value throughout.
    """
    # A value's rank is, up to a constant and a factor, the share of values below it.
    ranks = [_share_below(values, np.sort(values)) for values in (first, second)]
    one, other = (rank - rank.mean() for rank in ranks)
    scale = math.sqrt((one @ one) * (other @ other))
    return float(np.clip(one @ other / scale, -1, 1)) if scale > 0 else 0.0


def principal_components(points: NDArray[np.floating], count: int = 2) -> Array:
    """Return coordinates along the directions in which points vary most (PCA; Pearson, 1901).

    Args:
        points: (n, dimensions).
        count: How many directions.

    Returns:
        float64 (n, count), each column with mean 0, the first with the largest variance. A
        direction's sign is free: it is chosen so that its largest weight is positive. If there
        are fewer dimensions than directions, the remaining columns are 0.
    """
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    # Ascending, so the last ones vary most.
    _, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, ::-1][:, :count]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.sign(directions[largest, np.arange(directions.shape[1])])
    coordinates = np.zeros((len(points), count))
    coordinates[:, : directions.shape[1]] = centred @ directions
    return coordinates


def cross_entropy(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return the mean cross-entropy of predictions, in nats.

    Probabilities below 1e-7 count as 1e-7, as in Keras.

    Args:
        probabilities: Of each class, (n, classes).
        labels: The right classes, (n,).
    """
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(right.clip(1e-7)).mean())
