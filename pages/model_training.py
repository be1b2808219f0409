"""The network, how it was trained, and how good it is (rows S5 and S6 of the tutorial)."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core import attempts, cache, images
from core.attempts import Attempt
from core.images import SPLIT_COLOURS, Scale
from core.insights import Insights
from core.keras_file import ModelError
from ui import controls, figures, frame
from ui.downloads import downloads

frame.start_page()
view = frame.view()

CHARTS_A_ROW = 3
POINTS = 20  # a curve of fewer epochs shows each as a point
GAP = "over-fitting"
GAP_COLOUR = "#999999"
VALIDATION_IMAGES = 5_000

# What the tutorial prints: the last line of its training, and its `evaluate`.
TUTORIAL: dict[str, dict[str, float]] = {
    "its table": {
        "train_accuracy": 0.93,
        "train_loss": 0.187,
        "test_accuracy": 0.90,
        "test_loss": 0.254,
    },
    "its evaluate": {"test_accuracy": 0.9036, "test_loss": 0.2616},
}


def network_table() -> str:
    """Each layer with its output shape and the formula behind its parameter count."""
    rows = "".join(
        f"<tr><th>{escape(layer.name)}<td>{layer.kind}<td>{figures.shape(layer.output_shape)}"
        f"<td>{layer.activation or ''}<td>{layer.parameter_formula}"
        for layer in view.network.layers
    )
    return (
        figures.title("The network", f"{view.network.parameter_count:,} parameters in all")
        + figures.scrolling(
            '<table class="numbers roomy"><tr><th>layer<th>kind<th>output<th>activation'
            f"<th>parameters{rows}</table>",
            "Table of the layers",
        )
        + figures.note(
            "A convolution has kernel height × kernel width × input channels × filters weights and "
            "one bias a filter; a dense layer has inputs × outputs weights and one bias an output. "
            "Pooling and flattening have nothing to learn."
        )
    )


def held_out(history: pd.DataFrame) -> str:
    """The split that the network did not learn from, "validation" or "test"."""
    return "validation" if "validation_loss" in history else "test"


def gap(history: pd.DataFrame) -> str:
    """How far the network over-fits in the last epoch, in words."""
    last, split = history.iloc[-1], held_out(history)
    points = 100 * (last["train_accuracy"] - last[f"{split}_accuracy"])
    loss = last[f"{split}_loss"] - last["train_loss"]
    return (
        f"In the last epoch the accuracy on images that it learns from is {points:.1f} points "
        f"higher than on {split} images, and the loss {loss:.3f} lower."
    )


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


def attempts_chart(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Vega-Lite chart of each attempt's validation accuracy in percent, with its standard error."""
    values = []
    for number, attempt in enumerate(attempts):
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


def history_csv(history: pd.DataFrame) -> bytes:
    """The history as a CSV file."""
    return history.to_csv(index=False).encode()


def results_table(history: pd.DataFrame | None, insights: Insights | None) -> str:
    """Loss and accuracy after the last epoch, beside what the tutorial prints."""
    own: dict[str, float] = {}
    if history is not None:
        own |= {str(name): float(value) for name, value in history.iloc[-1].items()}
    if insights is not None:
        labels = cache.split("test").labels
        own |= {"test_accuracy": insights.accuracy(labels), "test_loss": insights.loss(labels)}
    columns = {"this model": own, **TUTORIAL}
    rows = "".join(
        f"<tr><th>{split} {measure}"
        + "".join(
            f"<td>{figures.missing(values.get(f'{split}_{measure}'), '.4f')}"
            for values in columns.values()
        )
        for split in SPLIT_COLOURS
        for measure in ("accuracy", "loss")
        if any(f"{split}_{measure}" in values for values in columns.values())
    )
    head = "<th>".join(("", "this model", "tutorial, its table", "tutorial, its evaluate"))
    validated = history is not None and held_out(history) == "validation"
    return (
        figures.title("After the last epoch")
        + f'<table class="numbers roomy"><tr><th>{head}{rows}</table>'
        + figures.note(
            "Train and validation are of the run with 5,000 training images held out, on which "
            "everything was chosen. The model in view was then trained on all 60,000, and tested "
            "once."
            if validated
            else "Keras takes the train figures during the last epoch, while the weights still "
            "change, and the test figures after it."
        )
    )


st.header("Model and training", anchor=False)
st.html(network_table())

models = cache.models()
histories, problems = {}, []
for name, model in models.items():
    try:
        histories[name] = cache.history(model)
    except ModelError as error:
        problems.append(str(error))

st.subheader("How each model was trained", anchor=False)
st.html(
    figures.note(
        "Left to right on the same axes, so heights compare; epochs differ. Shaded is the gap "
        "between images that the network learns from and images that it never learns from: "
        "<b>over-fitting</b>, it knows the first by heart. Dashed: the epoch with the lowest loss "
        "on the others. Beside <i>test</i>, the train line is Keras's mean over the epoch, while "
        "weights still change; beside <i>validation</i>, both lines were taken after the epoch, "
        "with dropout off, in a run with 5,000 training images held out."
    )
)
for problem in problems:
    st.warning(problem)
bounds = {}
if histories:
    bounds = {measure: domain(histories.values(), measure) for measure in ("accuracy", "loss")}
names = list(histories)
across = min(len(names), CHARTS_A_ROW)
for start in range(0, len(names), CHARTS_A_ROW):
    row = names[start : start + CHARTS_A_ROW]
    for name, column in zip(row, st.columns(across), strict=False):
        history = histories[name]
        over_fitting = gap(history)
        with column:
            st.html(figures.title(name, f"{len(history)} epochs"))
            for measure, axis in bounds.items():
                st.vega_lite_chart(
                    curves(history, measure, axis),
                    height=270 if measure == "accuracy" else 230,
                    alt=f"Line chart of {measure} by epoch for {name}. {over_fitting}",
                )
            st.html(figures.note(over_fitting))
            with st.container(horizontal=True):
                downloads(
                    ("History (CSV)", f"{name}.csv", partial(history_csv, history)),
                    ("Curves (PNG)", f"{name}.png", partial(images.curves_figure, history, name)),
                    key=f"download_{name}",
                )
                with st.popover("Model card"):
                    try:
                        st.markdown(models[name].folder.card())
                    except ModelError as error:
                        st.warning(str(error))

try:
    tried = cache.tried()
except ModelError as error:
    st.warning(str(error))
else:
    st.subheader("What each change brought", anchor=False)
    st.vega_lite_chart(
        attempts_chart(tried),
        height=32 * len(tried) + 110,
        alt="Chart of the validation accuracy of each attempt: "
        + ", ".join(f"{row.change} {row.validation_accuracy:.2%}" for row in tried),
    )
    st.html(
        figures.note(
            "Each row is one training of the network above (“stopped”: ended early) on 55,000 of "
            "the training images; the point is its accuracy on the 5,000 others, the line one "
            "standard error to either side. Points closer than that may owe their order to chance. "
            "Point at one for its settings. All were run with a separate program of the same "
            "network, written for speed."
        )
    )
    downloads(
        ("Attempts (CSV)", "attempts.csv", attempts.ATTEMPTS_FILE.read_bytes),
        key="download_attempts",
    )

st.subheader(f"How good {view.model.folder.name} is", anchor=False)
left, right = st.columns(2, gap="medium")
insights = None
with right:
    try:
        insights = cache.insights(view.model)
    except ModelError as error:
        st.warning(str(error))
    else:
        if insights is None:
            command = view.model.folder.insights_command
            st.info(f"The accuracy of each class is not computed yet: `{command}`")
        else:
            labels = cache.split("test").labels
            accuracies = insights.class_accuracy(labels)
            st.html(
                figures.title(
                    "Test accuracy of each class", f"{insights.accuracy(labels):.2%} in all"
                )
                + figures.class_bars(accuracies, "Bars of the test accuracy of each class")
                + figures.note("Share of the 1,000 test images of a class that it gets right.")
            )
with left:
    st.html(results_table(histories.get(view.model.folder.name), insights))

first = next((layer for layer in view.network.layers if layer.kind == "Conv2D"), None)
if first is not None:
    kernels = first.weights["kernel"][:, :, 0, :]
    biases = first.weights.get("bias", np.zeros(kernels.shape[2], np.float32))
    scale = Scale.centred(kernels)
    st.subheader(f"The {kernels.shape[2]} kernels of {first.name}", anchor=False)
    st.html(
        figures.sheet(
            kernels,
            scale,
            f"Sheet of the {kernels.shape[2]} kernels of {first.name}",
            [f"{index}: {bias:+.2f}" for index, bias in enumerate(biases.round(2) + 0.0)],
        )
        + figures.colour_bar(
            scale,
            "Weight, no unit: blue counts against, red for, white is 0. Above each kernel its "
            "number and its bias. Red on one side and blue on the other is an edge detector.",
        )
    )
    downloads(
        (
            "Kernels (PNG)",
            "kernels.png",
            lambda: images.sheet_figure(kernels, scale, "Kernels of the first convolution"),
        ),
        ("Kernels (NPY)", "kernels.npy", lambda: images.numbers_npy(kernels)),
        key="download_kernels",
    )
st.html(
    figures.note(
        figures.link(
            controls.address("model_training", model="tutorial"),
            "As in the tutorial: the model that its recipe trains",
        )
        + f". {figures.NUMBERS_DIFFER}"
    )
)
