"""The charts that are drawn in the browser, as Vega-Lite specifications.

Plain dictionaries: building the same with a chart library costs a page 10 ms each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow

from core.dataset import CLASS_NAMES
from core.evidence.insights import Bin
from core.evidence.separation import Separation
from core.evidence.statistics import wilson
from core.models.attempts import Attempt
from core.pictures.colours import SPLIT_COLOURS
from core.pictures.scales import FloatArray
from ui.separation import auc_words, drop_words

POINTS = 20  # a curve of fewer epochs shows each as a point
GAP = "over-fitting"
GAP_COLOUR = "#99999959"
VALIDATION_IMAGES = 5_000
MOST_LABELS = 64  # filters with a number each below a chart
LEAST_DROP = 0.1  # percentage points that the axis of drops shows to either side of 0
# Whether a filter separates two classes best, and whether it is needed most for them. Not the
# colours of the two classes; shapes, too, because no four colours differ for every eye.
KINDS = {
    (True, True): ("separates best and is needed most", "#009e73", "diamond"),
    (True, False): ("separates best, is not needed most", "#56b4e9", "triangle-up"),
    (False, True): ("needed most, separates less", "#e69f00", "square"),
    (False, False): ("neither", "#999999", "circle"),
}


def _table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The data of a chart, for its specification: from Python's own numbers and texts.

    As the bytes that go to the browser, for Streamlit takes seven times as long to make them of the
    same rows.
    """
    return _arrow(pyarrow.Table.from_pylist(rows))


def _arrow(table: pyarrow.Table) -> dict[str, Any]:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return {"data": {"name": "rows"}, "datasets": {"rows": sink.getvalue().to_pybytes()}}


def held_out(history: pd.DataFrame) -> str:
    """The split that the network did not learn from, "validation" or "test"."""
    return "validation" if "validation_loss" in history else "test"


def curves(history: pd.DataFrame, measure: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Vega-Lite chart of "loss" or "accuracy" by epoch: a line a split and the gap between them,
    with the epoch ruled where the loss on held-out images is lowest. `curve_colours` is its legend.
    """
    splits = ["train", held_out(history)]
    best = int(history["epoch"].iloc[int(history[f"{splits[1]}_loss"].argmin())])
    values = [
        {"epoch": int(epoch)} | dict(zip(splits, figures, strict=True))
        for epoch, *figures in zip(
            history["epoch"].tolist(),
            *(history[f"{split}_{measure}"].tolist() for split in splits),
            strict=True,
        )
    ]
    x = {
        "field": "epoch",
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, "padding": 6},
        "axis": {"tickMinStep": 1, "format": "d"},
    }
    y = {"type": "quantitative", "scale": {"domain": domain}, "title": measure}
    colours = {"domain": splits, "range": [SPLIT_COLOURS[split] for split in splits]}
    return {
        **_table(values),
        "layer": [
            {
                "data": {"values": _gap(history, measure)},
                "mark": {"type": "area", "opacity": 1, "color": GAP_COLOUR},
                "encoding": {"x": x, "y": y | {"field": "better"}, "y2": {"field": "held out"}},
            },
            {
                "transform": [{"filter": f"datum.epoch == {best}"}],
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#888"},
                "encoding": {"x": x},
            },
            {
                "transform": [{"fold": splits, "as": ["split", measure]}],
                "mark": {"type": "line", "point": len(values) < POINTS, "tooltip": True},
                "encoding": {
                    "x": x,
                    "y": y | {"field": measure},
                    "color": {"field": "split", "scale": colours, "legend": None},
                },
            },
        ],
    }


def _gap(history: pd.DataFrame, measure: str) -> list[dict[str, float]]:
    """The outline of the over-fitting: where the network is better on images that it learns from,
    from its figure there to that of the held-out images; elsewhere both are the latter.

    The lines may cross between two epochs: the outline has a point there.
    """
    sign = 1 if measure == "accuracy" else -1
    train, other = (
        history[f"{split}_{measure}"].tolist() for split in ("train", held_out(history))
    )
    ahead = [sign * (first - second) for first, second in zip(train, other, strict=True)]
    outline: list[dict[str, float]] = []
    for at, epoch in enumerate(history["epoch"].tolist()):
        if at and ahead[at - 1] * ahead[at] < 0:
            share = ahead[at - 1] / (ahead[at - 1] - ahead[at])
            crossing = other[at - 1] + share * (other[at] - other[at - 1])
            outline.append({"epoch": epoch - 1 + share, "better": crossing, "held out": crossing})
        better = train[at] if ahead[at] > 0 else other[at]
        outline.append({"epoch": epoch, "better": better, "held out": other[at]})
    return outline


def curve_colours(history: pd.DataFrame) -> dict[str, str]:
    """The legend of `curves`: a colour for each line, and for the gap. It stands beside the chart,
    for in one of three beside each other Vega cuts it off."""
    splits = ("train", held_out(history))
    return {split: SPLIT_COLOURS[split] for split in splits} | {GAP: GAP_COLOUR}


def domain(histories: Iterable[pd.DataFrame], measure: str) -> tuple[float, float]:
    """Bounds of the axis that all charts share: all their points, and a little more."""
    figures = np.concatenate(
        [
            history[f"{split}_{measure}"].to_numpy()
            for history in histories
            for split in ("train", held_out(history))
        ]
    )
    low, high = float(figures.min()), float(figures.max())
    margin = 0.05 * (high - low) or 0.05
    return max(low - margin, 0.0), min(high + margin, 1.0 if measure == "accuracy" else math.inf)


def attempts(tried: Sequence[Attempt]) -> dict[str, Any]:
    """Vega-Lite chart of each attempt's validation accuracy in percent, with its standard error."""
    values = []
    for number, attempt in enumerate(tried):
        accuracy = attempt.validation_accuracy
        error = math.sqrt(accuracy * (1 - accuracy) / VALIDATION_IMAGES)
        values.append(
            {
                "attempt": f"{number}  {attempt.change}",
                "accuracy": 100 * accuracy,
                "low": 100 * (accuracy - error),
                "high": 100 * (accuracy + error),
                "loss": attempt.validation_loss,
                "epochs": attempt.epochs,
                "settings": attempt.settings,
                "in tuned": "kept" if attempt.kept else "not kept",
            }
        )
    y = {
        "field": "attempt",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 420},
    }
    x = {
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, "padding": 12},
        "axis": {"tickCount": 10},
        "title": "validation accuracy (%)",
    }
    kept = ["kept", "not kept"]
    return {
        **_table(values),
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "rule", "color": "#888", "strokeWidth": 2},
                "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
                "encoding": {
                    "x": x | {"field": "accuracy"},
                    "color": {
                        "field": "in tuned",
                        "scale": {"domain": kept, "range": ["#0072b2", "#d55e00"]},
                        "legend": {"orient": "top", "title": None},
                    },
                    "shape": {
                        "field": "in tuned",
                        "scale": {"domain": kept, "range": ["circle", "cross"]},
                    },
                    "tooltip": [
                        {"field": name, "type": "nominal"}
                        for name in ("attempt", "settings", "epochs", "accuracy", "loss")
                    ],
                },
            },
        ],
    }


def confusion(counts: npt.NDArray[np.intp], shares: bool) -> dict[str, Any]:
    """Vega-Lite chart of the confusion matrix (true, predicted); clicking a cell selects it.

    Only mistakes have a colour: on one scale with the right answers they would all look alike.
    """
    totals = counts.sum(axis=1)
    values = [
        {
            "true": CLASS_NAMES[true],
            "predicted": CLASS_NAMES[predicted],
            "count": int(count),
            "share": float(count / totals[true]),
            "text": f"{count / totals[true]:.1%}" if shares else str(count),
            "mistake": true != predicted,
        }
        for (true, predicted), count in np.ndenumerate(counts)
    ]
    mistakes = counts[~np.eye(len(counts), dtype=bool)]
    half = float(mistakes.max()) / 2
    axes = {
        axis: {
            "field": field,
            "type": "nominal",
            "sort": None,
            "title": title,
            "axis": {"labelAngle": angle, "orient": orient, "labelOverlap": False},
        }
        for axis, field, title, angle, orient in (
            ("x", "predicted", "predicted class", -90, "top"),
            ("y", "true", "true class", 0, "left"),
        )
    }
    tooltip = [
        {"field": "true", "type": "nominal"},
        {"field": "predicted", "type": "nominal"},
        {"field": "count", "type": "quantitative", "title": "images"},
        {"field": "share", "type": "quantitative", "format": ".1%", "title": "of the true class"},
    ]
    return {
        **_table(values),
        "encoding": axes,
        "layer": [
            {
                "params": [
                    {
                        "name": "cell",
                        "select": {"type": "point", "fields": ["true", "predicted"]},
                    }
                ],
                "mark": {"type": "rect", "cursor": "pointer", "stroke": "#8884"},
                "encoding": {
                    "color": {
                        "condition": {
                            "test": "datum.mistake",
                            "field": "count",
                            "type": "quantitative",
                            "scale": {"scheme": "viridis", "domain": [0, int(mistakes.max())]},
                            "legend": {"title": "images", "orient": "bottom"},
                        },
                        "value": "transparent",
                    },
                    "tooltip": tooltip,
                },
            },
            {
                "mark": {"type": "text", "fontSize": 11},
                "encoding": {
                    "text": {"field": "text"},
                    "color": {
                        "condition": [
                            {"test": f"datum.mistake && datum.count > {half}", "value": "black"},
                            {"test": "datum.mistake", "value": "white"},
                        ],
                        "value": "#888",
                    },
                },
            },
        ],
    }


def outlined(matrix: dict[str, Any], true: int, predicted: int) -> dict[str, Any]:
    """The chart of the confusion matrix with a cell outlined. The chart itself stays as it is: all
    students share it, and each has a cell of their own."""
    cell = {"true": CLASS_NAMES[true], "predicted": CLASS_NAMES[predicted]}
    outline = {
        "transform": [{"filter": {"field": field, "equal": name}} for field, name in cell.items()],
        "mark": {"type": "rect", "fill": None, "stroke": "#d55e00", "strokeWidth": 3},
    }
    cells, numbers = matrix["layer"]
    return matrix | {"layer": [cells, outline, numbers]}


def filter_effects(
    lost: FloatArray, class_lost: FloatArray, off: Sequence[int], domain: tuple[float, float]
) -> dict[str, Any]:
    """Vega-Lite chart of the accuracy that each filter alone off costs; a click selects one.

    Args:
        lost: percentage points (filters,); below 0 where the network is better without it.
        class_lost: the same for the images of each class, (filters, 10).
        off: the filters that are off now.
        domain: of the axis.
    """
    chart = _effects(lost.astype(float).tobytes(), class_lost.astype(float).tobytes(), domain)
    # In data of its own, which is all that changes with a click: the browser would draw the whole
    # chart anew for another specification.
    return chart | {"datasets": chart["datasets"] | {"off": _off(tuple(off))}}


# 400 bytes each, most of them for no filter of a layer.
@lru_cache(64)
def _off(filters: tuple[int, ...]) -> bytes:
    """The data that says which filters are off."""
    # A table without a row would have no columns either.
    rows: bytes = _table([{"filter": index, "now": "off"} for index in (-1, *filters)])["datasets"][
        "rows"
    ]
    return rows


# 10 kB each. For the arrays their bytes, which a cache can look up.
@lru_cache(16)
def _effects(lost: bytes, class_lost: bytes, domain: tuple[float, float]) -> dict[str, Any]:
    """The chart with all filters on."""
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
        **_table(values),
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
                    "labelOverlap": len(values) > MOST_LABELS,
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


def calibration(bins: Sequence[Bin]) -> dict[str, Any]:
    """Vega-Lite chart of accuracy against confidence, with 95 % Wilson intervals."""
    values = []
    for each in bins:
        low, high = wilson(each.right, each.count)
        values.append(
            {
                "confidence": each.confidence,
                "accuracy": each.accuracy,
                "low": low,
                "high": high,
                "images": each.count,
                "bin": f"{each.low:.1f} to {each.high:.1f}",
            }
        )
    unit = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    x = unit | {"field": "confidence", "title": "mean confidence of the bin"}
    return {
        **_table(values),
        "layer": [
            {
                "data": {"values": [{"at": 0}, {"at": 1}]},
                "mark": {"type": "line", "color": "#888", "strokeDash": [4, 3]},
                "encoding": {"x": unit | {"field": "at"}, "y": unit | {"field": "at"}},
            },
            {
                "mark": {"type": "rule", "color": "#0072b2", "strokeWidth": 2},
                "encoding": {"x": x, "y": unit | {"field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "color": "#0072b2"},
                "encoding": {
                    "x": x,
                    "y": unit | {"field": "accuracy", "title": "accuracy"},
                    "tooltip": [
                        {"field": "bin", "type": "nominal", "title": "confidence"},
                        {"field": "images", "type": "quantitative"},
                        {"field": "accuracy", "type": "quantitative", "format": ".1%"},
                    ],
                },
            },
            {
                "mark": {
                    "type": "text",
                    "dy": -3,
                    "baseline": "bottom",
                    "color": "#888",
                    "fontSize": 10,
                },
                "encoding": {
                    "x": x,
                    # Beside the points they would lie on the dashed line.
                    "y": {"value": "height"},
                    "text": {"field": "images"},
                },
            },
        ],
    }


def kind_of(found: Separation, index: int) -> str:
    """Return in words whether a filter separates two classes best and is needed most for them."""
    return KINDS[bool(found.separates[index]), bool(found.needed[index])][0]


# 12 kB each.
@lru_cache(256)
def separation(found: Separation, names: tuple[str, str], chosen: int) -> dict[str, Any]:
    """Vega-Lite chart of a layer's filters by falling AUC for the first of two classes, and below
    each what switching it off costs; clicking one selects it. Whoever gets it leaves it as it is,
    as Streamlit does."""
    chart, filters = _separation(found, names)
    # In the data, not in the specification, for another one the browser would draw from nothing.
    mark = pyarrow.array([index == chosen for index in found.falling])
    return chart | _arrow(filters.append_column("chosen", mark))


# 30 kB each. What the whole class looks at would take each move as long as three widgets.
@lru_cache(32)
def _separation(found: Separation, names: tuple[str, str]) -> tuple[dict[str, Any], pyarrow.Table]:
    """The chart without its data, and a row a filter."""
    values = [
        {
            "filter": index,
            "auc": float(found.auc[index]),
            "low": float(found.low[index]),
            "high": float(found.high[index]),
            "interval": auc_words(found, index),
            "drop": float(found.drop[index]),
            "cost": drop_words(found, index),
            "kind": kind_of(found, index),
        }
        for index in found.falling
    ]
    # Two panels in one view, each with its part of the height: only a single view fits its width,
    # and so a column across both is one thing to point at.
    above = {"range": [{"expr": "0.62 * height"}, 0], "domain": [0, 1]}
    bounds = [min(found.drop.min(), -LEAST_DROP), max(found.drop.max(), LEAST_DROP)]
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
            "labelOverlap": len(values) > MOST_LABELS,
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
                    _line(auc, 0.5, [4, 3]),
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
                    _line(drop, 0),
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


def _line(axis: dict[str, Any], at: float, dash: Sequence[int] = ()) -> dict[str, Any]:
    """A layer with a line across a chart, at a value of its y axis."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": "#888", "strokeDash": list(dash), "aria": False},
        "encoding": {"y": axis | {"datum": at}},
    }
