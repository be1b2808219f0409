"""The chart of how well each filter separates two classes, and of what its absence costs them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pyarrow

from core.evidence.separation import Separation
from ui.charts.separation_words import ClassNames, auc_words, drop_words
from ui.charts.vega import MAX_FILTER_LABELS, Spec, arrow_data

MIN_DROP_SHOWN = 0.1  # percentage points that the axis of drops shows to either side of 0
# Whether a filter separates two classes best, and whether it is needed most for them. Not the
# colours of the two classes; shapes, too, because no four colours differ for every eye.
KINDS = {
    (True, True): ("separates best and is needed most", "#009e73", "diamond"),
    (True, False): ("separates best, is not needed most", "#56b4e9", "triangle-up"),
    (False, True): ("needed most, separates less", "#e69f00", "square"),
    (False, False): ("neither", "#999999", "circle"),
}


def kind_of(separation: Separation, index: int) -> str:
    """Return in words whether a filter separates two classes best and is needed most for them."""
    return KINDS[bool(separation.separates[index]), bool(separation.needed[index])][0]


# 12 kB each.
@lru_cache(256)
def evidence_and_effect_chart(separation: Separation, names: ClassNames, chosen: int) -> Spec:
    """Return the chart of a layer's filters by falling AUC for the first of two classes.

    Below each stands what switching it off costs; clicking one selects it. Shared: do not mutate.
    """
    chart, filters = _without_choice(separation, names)
    # In the data: the browser would draw the whole chart anew for another specification.
    mark = pyarrow.array([index == chosen for index in separation.falling])
    return chart | arrow_data(filters.append_column("chosen", mark))


# 30 kB each. What the whole class looks at would take each move as long as three widgets.
@lru_cache(32)
def _without_choice(separation: Separation, names: ClassNames) -> tuple[Spec, pyarrow.Table]:
    """Return the chart without its data, and a row per filter."""
    values = [
        {
            "filter": index,
            "auc": float(separation.auc[index]),
            "low": float(separation.low[index]),
            "high": float(separation.high[index]),
            "interval": auc_words(separation, index),
            "drop": float(separation.drop[index]),
            "cost": drop_words(separation, index),
            "kind": kind_of(separation, index),
        }
        for index in separation.falling
    ]
    # Two panels in one view, each with its part of the height: only a single view fits its width,
    # and so a column across both is one thing to point at.
    above = {"range": [{"expr": "0.62 * height"}, 0], "domain": [0, 1]}
    bounds = [
        min(separation.drop.min(), -MIN_DROP_SHOWN),
        max(separation.drop.max(), MIN_DROP_SHOWN),
    ]
    below = {
        "range": [{"expr": "height"}, {"expr": "0.68 * height"}],
        "domain": [float(bound) for bound in bounds],
        "nice": True,
    }
    auc = {"type": "quantitative", "scale": above, "title": "AUC", "axis": {"tickCount": 5}}
    drop = {
        "type": "quantitative",
        "scale": below,
        "title": "drop (points)",
        "axis": {"tickCount": 4, "orient": "left"},
    }
    x = {
        "field": "filter",
        "type": "nominal",
        "sort": None,
        "title": f"filter, by falling AUC for {names[0]}",
        "axis": {
            "labelAngle": -90,
            "labelFontSize": 10,
            "labelOverlap": len(values) > MAX_FILTER_LABELS,
            "ticks": False,
        },
    }
    kinds, colours, shapes = zip(*KINDS.values(), strict=True)
    legend = {"orient": "top", "title": None, "labelLimit": 300}
    kind = {"field": "kind", "type": "nominal", "legend": legend}
    colour = kind | {"scale": {"domain": kinds, "range": colours}}
    chart = {
        "resolve": {"scale": {"y": "independent"}},
        "layer": [
            {
                "layer": [
                    _horizontal_line(auc, 0.5, [4, 3]),
                    *(
                        {
                            "data": {"values": [{}]},
                            "mark": {
                                "type": "text",
                                "text": f"larger for {name}",
                                "align": align,
                                "baseline": baseline,
                                "color": "#888",
                                "fontSize": 12,
                            },
                            "encoding": {"x": {"value": place}, "y": auc | {"datum": end}},
                        }
                        for name, align, baseline, place, end in (
                            (names[0], "right", "top", "width", 1),
                            (names[1], "left", "bottom", 0, 0),
                        )
                    ),
                    {
                        "mark": {"type": "rule", "strokeWidth": 2},
                        "encoding": {
                            "x": x,
                            "y": auc | {"field": "low"},
                            "y2": {"field": "high"},
                            "color": colour,
                        },
                    },
                    {
                        "mark": {"type": "point", "filled": True, "size": 34, "opacity": 1},
                        "encoding": {
                            "x": x,
                            "y": auc | {"field": "auc"},
                            "color": colour,
                            "shape": kind | {"scale": {"domain": kinds, "range": shapes}},
                        },
                    },
                ]
            },
            {
                "layer": [
                    {
                        "mark": "bar",
                        "encoding": {"x": x, "y": drop | {"field": "drop"}, "color": colour},
                    },
                    _horizontal_line(drop, 0),
                ]
            },
            {
                # Forgotten as the pointer leaves: the browser does not send the same choice twice,
                # and meanwhile the slider may have chosen another filter.
                "params": [
                    {
                        "name": "picked",
                        "select": {"type": "point", "fields": ["filter"], "clear": "mouseout"},
                    }
                ],
                "mark": {"type": "rect", "color": "#888", "cursor": "pointer"},
                "encoding": {
                    "x": x,
                    "y": {"value": 0},
                    "y2": {"value": "height"},
                    "opacity": {"condition": {"test": "datum.chosen", "value": 0.25}, "value": 0},
                    "tooltip": [
                        {"field": field, "type": "nominal", "title": title}
                        for field, title in (
                            ("filter", "filter"),
                            ("interval", "AUC"),
                            ("cost", "drop"),
                            ("kind", "kind"),
                        )
                    ],
                },
            },
        ],
    }
    return chart, pyarrow.Table.from_pylist(values)


def _horizontal_line(axis: Spec, at: float, dash: Sequence[int] = ()) -> Spec:
    """Return a layer with a line across a chart, at a value of its y axis."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": "#888", "strokeDash": list(dash), "aria": False},
        "encoding": {"y": axis | {"datum": at}},
    }
