"""Mistakes, on the page on the model and its training: confusion matrix and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.dataset import CLASS_NAMES
from core.evidence.insights import Bin
from core.evidence.statistics import wilson
from ui.charts.vega import Spec, rows_data


def confusion_matrix(counts: npt.NDArray[np.intp], shares: bool) -> Spec:
    """Return the chart of the confusion matrix; clicking a cell selects it.

    Only mistakes have a colour: on one scale with the right answers they would all look alike.

    Args:
        counts: Test images by true class and predicted class, (10, 10).
        shares: Whether the cells show shares of the true class, not counts.
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
        **rows_data(values),
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


def outlined(matrix: Spec, true: int, predicted: int) -> Spec:
    """Return the chart of the confusion matrix with a cell outlined.

    The given chart is shared by all sessions, each of which has a cell of its own: do not mutate.
    """
    cell = {"true": CLASS_NAMES[true], "predicted": CLASS_NAMES[predicted]}
    outline = {
        "transform": [{"filter": {"field": field, "equal": name}} for field, name in cell.items()],
        "mark": {"type": "rect", "fill": None, "stroke": "#d55e00", "strokeWidth": 3},
    }
    cells, numbers = matrix["layer"]
    return matrix | {"layer": [cells, outline, numbers]}


def calibration(bins: Sequence[Bin]) -> Spec:
    """Return the chart of accuracy against confidence, with 95 % Wilson intervals."""
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
        **rows_data(values),
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
