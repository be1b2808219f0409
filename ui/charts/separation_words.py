"""Sentences on how well filters separate two classes, and what their absence costs; HTML."""

from __future__ import annotations

from functools import lru_cache
from html import escape

import numpy as np

from core.evidence.separation import LEAST_IMAGES, Separation
from ui import markup

ClassNames = tuple[str, str]
"""The names of the two classes."""


def auc_words(separation: Separation, index: int) -> str:
    """Return a filter's AUC and its interval, as in "0.971 [0.964, 0.978]"."""
    return (
        f"{separation.auc[index]:.3f} [{separation.low[index]:.3f}, {separation.high[index]:.3f}]"
    )


def drop_words(separation: Separation, index: int) -> str:
    """Return what a filter's absence costs, negative where it is a gain.

    As in "1.20 points, 24 of 2,000 images".
    """
    return ("−" if separation.lost[index] < 0 else "") + _size(separation, index)


def _size(separation: Separation, index: int) -> str:
    lost = abs(int(separation.lost[index]))
    return f"{100 * lost / separation.images:.2f} points, {lost} of {separation.images:,} images"


@lru_cache(64)
def verdict(separation: Separation, names: ClassNames) -> str:
    """Return the best separator, the filter that is needed most, and whether they agree, HTML."""
    best, costliest = separation.strongest[0], int(np.argmax(separation.lost))
    sentences = [_of_best(separation, best, names)]
    if not separation.needed.any():
        sentences.append(_none_needed(separation, costliest))
    elif costliest != best or not separation.separates[best]:
        sentences.append(_of_costliest(separation, costliest))
    separators, needed = int(separation.separates.sum()), int(separation.needed.sum())
    if separators > 1 and needed:
        both = int((separation.separates & separation.needed).sum())
        sentences.append(
            f"Of the {separators} best separators, {both or 'none'} {'is' if both < 2 else 'are'} "
            f"among the {needed} needed most."
        )
    return " ".join(sentences)


def _of_best(separation: Separation, best: int, names: ClassNames) -> str:
    if not separation.separates[best]:
        return "No filter's mean response tells the two apart: each interval holds 0.5."
    larger = names[0] if separation.auc[best] > 0.5 else names[1]
    words = (
        f"<b>Filter {best}</b> separates best (AUC {auc_words(separation, best)}, larger for "
        f"{escape(larger)})"
    )
    lost, size = int(separation.lost[best]), _size(separation, best)
    if separation.needed[best]:
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


def _of_costliest(separation: Separation, index: int) -> str:
    words = f"<b>Filter {index}</b> costs most, {drop_words(separation, index)}"
    auc = f"AUC {auc_words(separation, index)}"
    if separation.separates[index]:
        return f"{words}, and is among the best separators, too ({auc})."
    blind = separation.low[index] <= 0.5 <= separation.high[index]
    return (
        f"{words}, though its mean response separates {'nothing' if blind else 'less'} ({auc}): it "
        "matters by what the next layers make of its map, not by how bright it is on average."
    )


def _none_needed(separation: Separation, costliest: int) -> str:
    if separation.lost[costliest] <= 0:
        return "No filter is needed by itself: switching off any single one costs nothing."
    return (
        "No filter is needed by itself: the largest drop "
        f"({drop_words(separation, costliest)}, without filter {costliest}) may be chance."
    )


def correlation(separation: Separation) -> str:
    """Return the rank correlation of evidence and effect and what it means, HTML.

    It is "" where one of them is the same for all filters.
    """
    if len(set(separation.lost.tolist())) < 2 or len(set(separation.auc.tolist())) < 2:
        return ""
    value = f"{separation.agreement:+.2f}".replace("-", "−")
    filters = len(separation.auc)
    return (
        f"Rank correlation (Spearman) of |AUC − 0.5| and drop over the {filters} filters: "
        f"<b>{value}</b>. 1 would say that the better a filter separates the more it is needed; 0, "
        "that the one tells nothing of the other."
    )


def explanation(layer: str, separation: Separation, names: ClassNames) -> str:
    """Return the findings of a layer's chart, and how to read it."""
    first, second = (escape(name) for name in names)
    pair_accuracy = separation.right / separation.images
    return markup.halves(
        markup.title("Where evidence and effect disagree")
        + markup.note(verdict(separation, names))
        + markup.note(correlation(separation))
        + markup.note(
            "<b>Look for</b> filters that separate and are not needed, or are needed and hardly "
            "separate. There are three reasons: other filters say the same; the network uses "
            "<i>where</i> a map is bright, not only how bright it is on average; what a filter "
            "adds to the logits of both classes cancels."
        ),
        markup.title("How to read the chart")
        + markup.note(
            f"<b>Above</b>, what a filter of {escape(layer)} says by itself. AUC is the share "
            f"of pairs, one test image of {first} and one of {second}, in which {first} has the "
            "larger mean response: 0.5 is no difference, 1 or 0 tells them apart each time. The "
            "line is its 95 % interval (DeLong). <b>Below</b>, what the network loses: by how many "
            "percentage points the pair accuracy (the share of right answers when only the two "
            f"logits compete, {pair_accuracy:.2%} with all filters) falls with this "
            "filter alone off. “Best” and “most” are the first eighth of the filters, if their "
            f"interval is clear of 0.5 and the drop is {LEAST_IMAGES} images or more: fewer may be "
            "chance."
        ),
    )
