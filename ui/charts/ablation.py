"""Filters switched off: what each filter costs, and prediction and accuracy without some."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from core.dataset import CLASS_NAMES
from core.evidence.answers import Answers
from core.pictures.scales import FloatArray
from ui import markup
from ui.charts.vega import MAX_FILTER_LABELS, Spec, rows_data

BEFORE_AFTER = ("all filters on", "these off")


def filter_effects(
    lost: FloatArray, class_lost: FloatArray, off: Sequence[int], domain: tuple[float, float]
) -> Spec:
    """Return the chart of the accuracy that each filter alone off costs; a click selects one.

    Args:
        lost: Percentage points (filters,); below 0 where the network is better without it.
        class_lost: The same for the images of each class, (filters, 10).
        off: The filters that are off now.
        domain: The lowest and the highest value of the axis.
    """
    chart = _effects(lost.astype(float).tobytes(), class_lost.astype(float).tobytes(), domain)
    # In data of its own, which is all that changes with a click: the browser would draw the whole
    # chart anew for another specification.
    return chart | {"datasets": chart["datasets"] | {"off": _off(tuple(off))}}


# 400 bytes each, most of them for no filter of a layer.
@lru_cache(64)
def _off(filters: tuple[int, ...]) -> bytes:
    """Return the data that says which filters are off."""
    # A table without a row would have no columns either.
    data = rows_data([{"filter": index, "now": "off"} for index in (-1, *filters)])
    rows: bytes = data["datasets"]["rows"]
    return rows


# 10 kB each. For the arrays their bytes, which a cache can look up.
@lru_cache(16)
def _effects(lost: bytes, class_lost: bytes, domain: tuple[float, float]) -> Spec:
    """Return the chart with all filters on."""
    points = np.frombuffer(lost)
    of_classes = np.frombuffer(class_lost).reshape(len(points), -1)
    values = [
        {
            "filter": index,
            "lost": round(float(points[index]), 2),
            "most": CLASS_NAMES[int(of_classes[index].argmax())],
            "class_lost": round(float(of_classes[index].max()), 1),
        }
        for index in np.argsort(-points, kind="stable").tolist()
    ]
    states = {"domain": ["on", "off"], "range": ["#0072b2", "#d55e00"]}
    is_off = {"data": {"name": "off"}, "key": "filter", "fields": ["now"]}
    return {
        **rows_data(values),
        "transform": [{"lookup": "filter", "from": is_off, "default": "on"}],
        # Forgotten as the pointer leaves: the browser does not send the same choice twice.
        "params": [
            {
                "name": "filter",
                "select": {"type": "point", "fields": ["filter"], "clear": "mouseout"},
            }
        ],
        "mark": {"type": "bar", "cursor": "pointer"},
        "encoding": {
            "x": {
                "field": "filter",
                "type": "nominal",
                "sort": None,
                "axis": {
                    "labelAngle": -90,
                    "labelFontSize": 8,
                    "labelOverlap": len(values) > MAX_FILTER_LABELS,
                    "ticks": False,
                },
            },
            "y": {
                "field": "lost",
                "type": "quantitative",
                "scale": {"domain": domain},
                "title": "points lost",
            },
            "color": {"field": "now", "scale": states, "legend": None},
            "tooltip": [
                {"field": "filter", "type": "nominal"},
                {"field": "lost", "type": "quantitative", "title": "points lost"},
                {"field": "most", "type": "nominal", "title": "most in class"},
                {"field": "class_lost", "type": "quantitative", "title": "points lost there"},
            ],
        },
    }


def prediction(title: str, before: FloatArray, after: FloatArray) -> str:
    """Return the class probabilities (10,) of an image before and after, HTML.

    Args:
        title: The image in words.
        before: With all filters on.
        after: With the chosen filters off.
    """
    best, was = int(after.argmax()), int(before.argmax())
    rows = [
        (name, pair)
        for name, *pair in zip(CLASS_NAMES, before.tolist(), after.tolist(), strict=True)
    ]
    return (
        markup.title("Prediction", title)
        + markup.note(
            f"{'Still' if best == was else 'Now'} <b>{CLASS_NAMES[best]}</b> with "
            f"{after[best]:.1%}; with all filters on {CLASS_NAMES[was]} with "
            f"{before[was]:.1%}."
        )
        + markup.paired_bars(rows, BEFORE_AFTER, shares=True)
    )


def accuracy(before: Answers, after: Answers, images: str) -> str:
    """Return the accuracy overall and in each class before and after, HTML.

    Args:
        before: The right answers with all filters on.
        after: The right answers with the chosen filters off.
        images: Which images were counted, as a sentence.
    """
    low, high = after.interval
    rows = [
        (name, pair)
        for name, *pair in zip(
            CLASS_NAMES, before.class_accuracy, after.class_accuracy, strict=True
        )
    ]
    return (
        markup.title("Accuracy", f"{after.accuracy:.2%}, with all filters on {before.accuracy:.2%}")
        + markup.note(f"{images} 95 % interval: {low:.1%} to {high:.1%}.")
        + markup.paired_bars(rows, BEFORE_AFTER, shares=True)
    )
