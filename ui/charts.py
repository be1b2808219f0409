"""The charts that are drawn in the browser, as Vega-Lite specifications.

Plain dictionaries: building the same with a chart library costs a page 10 ms each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.attempts import Attempt
from core.dataset import CLASS_NAMES
from core.images import SPLIT_COLOURS
from core.insights import Bin
from core.statistics import wilson

POINTS = 20  # a curve of fewer epochs shows each as a point
GAP = "over-fitting"
GAP_COLOUR = "#999999"
VALIDATION_IMAGES = 5_000


def held_out(history: pd.DataFrame) -> str:
    """The split that the network did not learn from, "validation" or "test"."""
    return "validation" if "validation_loss" in history else "test"


def curves(history: pd.DataFrame, measure: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Vega-Lite chart of "loss" or "accuracy" by epoch: a line a split and the gap between them,
    with the epoch ruled where the loss on held-out images is lowest."""
    splits = ["train", held_out(history)]
    best = int(history["epoch"].iloc[int(history[f"{splits[1]}_loss"].argmin())])
    values = [
        {"epoch": int(row["epoch"])} | {split: float(row[f"{split}_{measure}"]) for split in splits}
        for _, row in history.iterrows()
    ]
    x = {
        "field": "epoch",
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, "padding": 6},
        "axis": {"tickMinStep": 1, "format": "d"},
    }
    y = {"type": "quantitative", "scale": {"domain": domain}, "title": measure}
    # Where the network does better on images that it has not seen, there is no over-fitting.
    better = f"{'max' if measure == 'accuracy' else 'min'}(datum.train, datum.{splits[1]})"
    colours = [*(SPLIT_COLOURS[split] for split in splits), GAP_COLOUR]
    colour = {
        "scale": {"domain": [*splits, GAP], "range": colours},
        "legend": {"orient": "top", "title": None, "symbolType": "square", "symbolOpacity": 1}
        if measure == "accuracy"
        else None,
    }
    return {
        "data": {"values": values},
        "layer": [
            {
                "transform": [{"calculate": better, "as": "better"}],
                "mark": {"type": "area", "opacity": 0.35, "clip": True},
                "encoding": {
                    "x": x,
                    "y": y | {"field": "better"},
                    "y2": {"field": splits[1]},
                    "color": {"datum": GAP} | colour,
                },
            },
            {
                "transform": [{"filter": f"datum.epoch == {best}"}],
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#888"},
                "encoding": {"x": x},
            },
            {
                "transform": [{"fold": splits, "as": ["split", measure]}],
                "mark": {
                    "type": "line",
                    "point": len(values) < POINTS,
                    "tooltip": True,
                    "clip": True,
                },
                "encoding": {
                    "x": x,
                    "y": y | {"field": measure},
                    "color": {"field": "split"} | colour,
                },
            },
        ],
    }


def domain(histories: Iterable[pd.DataFrame], measure: str) -> tuple[float, float]:
    """Bounds of the axis that all charts share. What the first epochs have beyond them is cut off:
    they are so much worse that the later ones would lie on each other."""
    splits = [(history, split) for history in histories for split in ("train", held_out(history))]
    figures = [history[f"{split}_{measure}"] for history, split in splits]
    last = [float(figure.iloc[-1]) for figure in figures]
    if measure == "accuracy":
        return max(min(last) - 0.08, 0.0), min(max(map(max, figures)) + 0.01, 1.0)
    return max(min(map(min, figures)) - 0.02, 0.0), 1.6 * max(last)


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
        "data": {"values": values},
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


def confusion(
    counts: npt.NDArray[np.intp], chosen: tuple[int, int], shares: bool
) -> dict[str, Any]:
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
            "chosen": (true, predicted) == chosen,
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
        "data": {"values": values},
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
                "transform": [{"filter": "datum.chosen"}],
                "mark": {"type": "rect", "fill": None, "stroke": "#d55e00", "strokeWidth": 3},
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
        "layer": [
            {
                "data": {"values": [{"at": 0}, {"at": 1}]},
                "mark": {"type": "line", "color": "#888", "strokeDash": [4, 3]},
                "encoding": {"x": unit | {"field": "at"}, "y": unit | {"field": "at"}},
            },
            {
                "data": {"values": values},
                "mark": {"type": "rule", "color": "#0072b2", "strokeWidth": 2},
                "encoding": {"x": x, "y": unit | {"field": "low"}, "y2": {"field": "high"}},
            },
            {
                "data": {"values": values},
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
                "data": {"values": values},
                "mark": {"type": "text", "dx": 8, "align": "left", "color": "#888", "fontSize": 10},
                "encoding": {
                    "x": x,
                    "y": unit | {"field": "low"},
                    "text": {"field": "images"},
                },
            },
        ],
    }
