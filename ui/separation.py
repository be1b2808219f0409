"""What tells two classes apart, in words and pictures: where evidence and effect disagree."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape

import numpy as np

from core.evidence.separation import LEAST_IMAGES, Separation
from core.pictures.scales import FloatArray, Scale
from ui import html

Names = tuple[str, str]
"""The two classes."""

MapPair = tuple[FloatArray, FloatArray]
"""The mean map of each filter over the images of either class, (h, w, F) each."""

WIDTH = "clamp(80px, 9vw, 160px)"  # of a map on the page, in CSS


def auc_words(found: Separation, index: int) -> str:
    """A filter's AUC and its interval, as in "0.971 [0.964, 0.978]"."""
    return f"{found.auc[index]:.3f} [{found.low[index]:.3f}, {found.high[index]:.3f}]"


def drop_words(found: Separation, index: int) -> str:
    """What a filter's absence costs or, with a minus, brings: "1.20 points, 24 of 2,000 images"."""
    return ("−" if found.lost[index] < 0 else "") + _size(found, index)


def _size(found: Separation, index: int) -> str:
    lost = abs(int(found.lost[index]))
    return f"{100 * lost / found.images:.2f} points, {lost} of {found.images:,} images"


@lru_cache(64)
def verdict(found: Separation, names: Names) -> str:
    """The best separator and the filter that is needed most, and whether they agree; HTML."""
    best, costliest = found.strongest[0], int(np.argmax(found.lost))
    sentences = [_of_best(found, best, names)]
    if not found.needed.any():
        sentences.append(_none_needed(found, costliest))
    elif costliest != best or not found.separates[best]:
        sentences.append(_of_costliest(found, costliest))
    separators, needed = int(found.separates.sum()), int(found.needed.sum())
    if separators > 1 and needed:
        both = int((found.separates & found.needed).sum())
        sentences.append(
            f"Of the {separators} best separators, {both or 'none'} {'is' if both < 2 else 'are'} "
            f"among the {needed} needed most."
        )
    return " ".join(sentences)


def _of_best(found: Separation, best: int, names: Names) -> str:
    if not found.separates[best]:
        return "No filter's mean response tells the two apart: each interval holds 0.5."
    larger = names[0] if found.auc[best] > 0.5 else names[1]
    words = (
        f"<b>Filter {best}</b> separates best (AUC {auc_words(found, best)}, larger for "
        f"{escape(larger)})"
    )
    lost, size = int(found.lost[best]), _size(found, best)
    if found.needed[best]:
        return (
            f"{words}, and without it the pair accuracy falls by {size}: evidence and effect agree."
        )
    if lost >= LEAST_IMAGES:
        return f"{words}; without it the pair accuracy falls by {size}, less than without others."
    if lost <= -LEAST_IMAGES:
        return (
            f"{words}, yet without it the pair accuracy rises by {size}: here it misleads the "
            "network more often than it helps."
        )
    effect = f"{'falls' if lost > 0 else 'rises'} by only {size}" if lost else "stays the same"
    return f"{words}, yet without it the pair accuracy {effect}: the other filters are enough."


def _of_costliest(found: Separation, index: int) -> str:
    words = f"<b>Filter {index}</b> costs most, {drop_words(found, index)}"
    auc = f"AUC {auc_words(found, index)}"
    if found.separates[index]:
        return f"{words}, and is among the best separators, too ({auc})."
    blind = found.low[index] <= 0.5 <= found.high[index]
    return (
        f"{words}, though its mean response separates {'nothing' if blind else 'less'} ({auc}): it "
        "matters by what the next layers make of its map, not by how bright it is on average."
    )


def _none_needed(found: Separation, costliest: int) -> str:
    if found.lost[costliest] <= 0:
        return "No filter is needed by itself: switching off any single one costs nothing."
    return (
        "No filter is needed by itself: the largest drop "
        f"({drop_words(found, costliest)}, without filter {costliest}) may be chance."
    )


def correlation(found: Separation) -> str:
    """The rank correlation of evidence and effect, with what it means; HTML."""
    if len(set(found.lost.tolist())) < 2 or len(set(found.auc.tolist())) < 2:
        return ""
    value = f"{found.agreement:+.2f}".replace("-", "−")
    return (
        f"Rank correlation (Spearman) of |AUC − 0.5| and drop over the {len(found.auc)} filters: "
        f"<b>{value}</b>. 1 would say that the better a filter separates the more it is needed; 0, "
        "that the one tells nothing of the other."
    )


def average_maps(found: Separation, pair: MapPair, shown: Sequence[int], names: Names) -> str:
    """Some filters' average maps of both classes, on one scale a filter, and their difference."""
    titles = (*names, "", "difference", "")
    lines = [[f'<th scope="row">{escape(title)}'] for title in titles]
    heads = ["<td>"]
    for index in shown:
        means = [each[:, :, index] for each in pair]
        apart = means[0] - means[1]
        scale, centred = Scale.of(np.stack(means)), Scale.centred(apart)
        heads.append(f'<th scope="col">filter {index}<br><small>AUC {found.auc[index]:.3f}</small>')
        cells = (
            *(
                html.picture(mean, scale, f"Mean map of filter {index}, {name}", WIDTH)
                for mean, name in zip(means, names, strict=True)
            ),
            html.colour_bar(scale),
            html.picture(apart, centred, f"Difference of filter {index}'s mean maps", WIDTH),
            html.colour_bar(centred),
        )
        for line, cell in zip(lines, cells, strict=True):
            line.append(f"<td>{cell}")
    body = "<tr>".join("".join(line) for line in (heads, *lines))
    return html.scrolling(
        f'<table class="grid-figure"><tr>{body}</table>',
        "The filters in columns, their average maps of both classes in rows",
    )
