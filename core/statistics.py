"""The statistics that the pages quote, each a few lines, with the source of its formula."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Two-sided 95 % of a normal distribution lie within this many standard deviations.
Z_95 = 1.959963984540054


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `right` of `count` cases were seen (Wilson, 1927).

    Unlike the plain normal interval it stays within 0 and 1 and has a width where all cases are
    right. Raises ValueError where there is no case.
    """
    if not 0 <= right <= count or count == 0:
        raise ValueError(f"{right} of {count} is not a share")
    share, weight = right / count, Z_95**2 / count
    centre = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight**2 / 4) / (1 + weight)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def pairwise_auc(
    values: NDArray[np.number], groups: NDArray[np.integer], count: int
) -> tuple[Array, Array]:
    """Return the area under the ROC curve for each two groups of values, and its standard error.

    The area at [a, b] is the share of pairs, one value of group a and one of group b, in which that
    of a is the larger one; a pair of equal values counts half. So 0.5 is no difference, and 0 or 1
    perfect separation.

    Args:
        values: The values, (n,).
        groups: The group of each, (n,), 0 to `count` - 1; each group has two values or more.
        count: Number of groups.

    Returns:
        The areas, 0 to 1, and their standard errors, 0 where two groups do not overlap at all, both
        float64 (count, count); 0.5 and 0 for a group and itself.

    Source: DeLong, DeLong, Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves", Biometrics 1988.
    """
    order = np.argsort(values, kind="stable")
    ascending, groups = values[order], groups[order]
    members = groups[:, np.newaxis] == np.arange(count)  # (n, count)
    # below[i, b]: how many of the i smallest values are of group b.
    below = np.zeros((len(values) + 1, count))
    np.cumsum(members, axis=0, out=below[1:])
    smaller = below[np.searchsorted(ascending, ascending, "left")]  # (n, count)
    not_larger = below[np.searchsorted(ascending, ascending, "right")]  # (n, count)
    sizes = below[-1]
    # exceeds[i, b]: the share of group b that value i exceeds, equal ones counted half.
    exceeds = (smaller + not_larger) / (2 * sizes)
    of_group = [exceeds[groups == group] for group in range(count)]
    areas = np.stack([shares.mean(axis=0) for shares in of_group])  # (count, count)
    # The variance of the mean over the values of group a, at [a, b].
    variances = np.stack([shares.var(axis=0, ddof=1) / len(shares) for shares in of_group])
    errors = np.sqrt(variances + variances.T)
    np.fill_diagonal(areas, 0.5)
    np.fill_diagonal(errors, 0)
    return areas, errors


def _share_below(values: NDArray[np.number], others: NDArray[np.number]) -> Array:
    """For each value, the share of the sorted `others` that are smaller, equal ones counted half"""
    smaller = np.searchsorted(others, values, "left")
    not_larger = np.searchsorted(others, values, "right")
    shares: Array = (smaller + not_larger) / (2 * len(others))
    return shares


def spearman(first: NDArray[np.number], second: NDArray[np.number]) -> float:
    """Spearman's rank correlation of two lists of equal length, −1 to 1 (Spearman, 1904).

    It is Pearson's correlation of the ranks, where equal values share their mean rank; 0 where one
    list has the same value throughout.
    """
    # How many values are smaller, equal ones counted half, is the rank but for a constant.
    ranks = [_share_below(values, np.sort(values)) for values in (first, second)]
    one, other = (rank - rank.mean() for rank in ranks)
    scale = math.sqrt((one @ one) * (other @ other))
    return float(np.clip(one @ other / scale, -1, 1)) if scale > 0 else 0.0


def principal_components(points: NDArray[np.floating], count: int = 2) -> Array:
    """Coordinates along the directions in which points vary most (PCA; Pearson, 1901).

    Args:
        points: (n, dimensions).
        count: how many directions.

    Returns:
        float64 (n, count), each column with mean 0, the first with the largest variance. A
        direction's sign is free: it is chosen so that its largest weight is positive. Where there
        are fewer dimensions than directions, the others are 0.
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
