"""The page on the model and its training: the network, its training curves and its accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd

from core.models.attempts import Attempt
from core.network import Network
from core.pictures.colours import SPLIT_COLOURS
from core.pictures.scales import FloatArray
from ui import markup
from ui.charts.vega import Spec, rows_data

MIN_EPOCHS_WITHOUT_POINTS = 20  # a curve of fewer epochs shows each as a point
GAP = "over-fitting"
GAP_COLOUR = "#99999959"
VALIDATION_IMAGES = 5_000
# What the tutorial prints: the last line of its training, and its `evaluate`.
TUTORIAL_RESULTS: dict[str, dict[str, float]] = {
    "tutorial, its table": {
        "train_accuracy": 0.93,
        "train_loss": 0.187,
        "test_accuracy": 0.90,
        "test_loss": 0.254,
    },
    "tutorial, its evaluate": {"test_accuracy": 0.9036, "test_loss": 0.2616},
}
Domain = tuple[float, float]
"""The lowest and the highest value of an axis."""


def network_table(network: Network) -> str:
    """Return each layer with its output shape and the formula behind its parameter count, HTML."""
    rows = "".join(
        f"<tr><th>{escape(layer.name)}<td>{layer.kind}<td>{markup.shape(layer.output_shape)}"
        f"<td>{layer.activation or ''}<td>{layer.parameter_formula}"
        for layer in network.layers
    )
    return (
        markup.title("The network", f"{network.parameter_count:,} parameters in all")
        + markup.scrolling(
            '<table class="numbers roomy"><tr><th>layer<th>kind<th>output<th>activation'
            f"<th>parameters{rows}</table>",
            "Table of the layers",
        )
        + markup.note(
            "A convolution has kernel height × kernel width × input channels × filters weights and "
            "one bias a filter; a dense layer has inputs × outputs weights and one bias an output. "
            "Pooling and flattening have nothing to learn."
        )
    )


def held_out(history: pd.DataFrame) -> str:
    """Return the split that the network did not learn from, "validation" or "test"."""
    return "validation" if "validation_loss" in history else "test"


def curves(history: pd.DataFrame, measure: str, domain: Domain) -> Spec:
    """Return the chart of "loss" or "accuracy" by epoch.

    It has a line per split, the gap between them, and a rule at the epoch with the lowest loss on
    held-out images. `curve_colours` is its legend.
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
        **rows_data(values),
        "layer": [
            {
                "data": {"values": _overfitting_outline(history, measure)},
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
                "mark": {
                    "type": "line",
                    "point": len(values) < MIN_EPOCHS_WITHOUT_POINTS,
                    "tooltip": True,
                },
                "encoding": {
                    "x": x,
                    "y": y | {"field": measure},
                    "color": {"field": "split", "scale": colours, "legend": None},
                },
            },
        ],
    }


def _overfitting_outline(history: pd.DataFrame, measure: str) -> list[dict[str, float]]:
    """Return the area between the lines where the network is better on images that it learns from.

    It reaches from the figure there to that of the held-out images; elsewhere both are the latter.

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
    """Return the legend of `curves`: a colour for each line, and for the gap.

    It stands outside the chart, because Vega cuts it off in one of three charts side by side.
    """
    splits = ("train", held_out(history))
    return {split: SPLIT_COLOURS[split] for split in splits} | {GAP: GAP_COLOUR}


def domains(histories: Sequence[pd.DataFrame]) -> dict[str, Domain]:
    """Return the axis of each measure that the charts of all trainings share; none without any."""
    if not histories:
        return {}
    return {measure: domain(histories, measure) for measure in ("accuracy", "loss")}


def domain(histories: Iterable[pd.DataFrame], measure: str) -> Domain:
    """Return the bounds of the axis that all charts share: all their points, and a little more."""
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


def attempts_chart(tried: Sequence[Attempt]) -> Spec:
    """Return the chart of each attempt's validation accuracy in percent and its standard error."""
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
        **rows_data(values),
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


def overfitting_sentence(history: pd.DataFrame) -> str:
    """Return a sentence on the over-fitting in the last epoch."""
    last, split = history.iloc[-1], held_out(history)
    points = 100 * (last["train_accuracy"] - last[f"{split}_accuracy"])
    loss = last["train_loss"] - last[f"{split}_loss"]
    return (
        f"In the last epoch the accuracy on images that it learns from is {abs(points):.1f} points "
        f"{_direction(points)} than on {split} images, and the loss {abs(loss):.3f} "
        f"{_direction(loss)}."
    )


def _direction(difference: float) -> str:
    return "higher" if difference >= 0 else "lower"


def results_table(history: pd.DataFrame | None, test_results: Mapping[str, float]) -> str:
    """Return loss and accuracy after the last epoch beside what the tutorial prints, HTML.

    Args:
        history: The model's history, if it came with one.
        test_results: "test_accuracy" and "test_loss" over all test images, if they were measured.
    """
    own: dict[str, float] = {}
    if history is not None:
        own |= {str(name): float(value) for name, value in history.iloc[-1].items()}
    columns = {"this model": own | dict(test_results), **TUTORIAL_RESULTS}
    rows = "".join(
        f"<tr><th>{split} {measure}"
        + "".join(
            f"<td>{markup.missing(values.get(f'{split}_{measure}'), '.4f')}"
            for values in columns.values()
        )
        for split in SPLIT_COLOURS
        for measure in ("accuracy", "loss")
        if any(f"{split}_{measure}" in values for values in columns.values())
    )
    head = "<th>".join(("", *columns))
    validated = history is not None and held_out(history) == "validation"
    return (
        markup.title("After the last epoch")
        + f'<table class="numbers roomy"><tr><th>{head}{rows}</table>'
        + markup.note(
            "Train and validation are of the run with 5,000 training images held out, on which "
            "everything was chosen. The model in view was then trained on all 60,000, and tested "
            "once."
            if validated
            else "Keras takes the train figures during the last epoch, while the weights still "
            "change, and the test figures after it."
        )
    )


def class_accuracies(accuracy: float, of_classes: FloatArray) -> str:
    """Return the accuracy over all test images and, as bars, that of each class (10,), HTML."""
    return (
        markup.title("Test accuracy of each class", f"{accuracy:.2%} in all")
        + markup.class_bars(of_classes, "Bars of the test accuracy of each class")
        + markup.note(
            "Share of the 1,000 test images of a class that it gets right. What it takes the "
            "others for is under <i>mistakes</i>, above."
        )
    )
