"""The network, how it was trained, and how good it is (rows S5 and S6 of the tutorial)."""

from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core import cache, images
from core.images import SPLIT_COLOURS, Scale
from core.keras_file import ModelError
from ui import controls, figures, frame
from ui.downloads import downloads

frame.start_page()
view = frame.view()

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
        + '<div class="scroll"><table class="numbers roomy"><tr><th>layer<th>kind'
        f"<th>output<th>activation<th>parameters{rows}</table></div>"
        + figures.note(
            "A convolution has kernel height × kernel width × input channels × filters weights and "
            "one bias a filter; a dense layer has inputs × outputs weights and one bias an output. "
            "Pooling and flattening have nothing to learn."
        )
    )


def best_epoch(history: pd.DataFrame) -> tuple[int, str]:
    """The epoch with the lowest loss on the split that was held back, and that split's name."""
    split = "validation" if "validation_loss" in history else "test"
    return int(history["epoch"].iloc[int(history[f"{split}_loss"].argmin())]), split


def curves(history: pd.DataFrame, measure: str) -> dict[str, Any]:
    """Vega-Lite chart of "loss" or "accuracy" by epoch, a line a split; the best epoch is ruled."""
    splits = [split for split in SPLIT_COLOURS if f"{split}_{measure}" in history]
    epoch, _ = best_epoch(history)
    values = [
        {"epoch": int(row["epoch"]), "split": split, measure: float(row[f"{split}_{measure}"])}
        for _, row in history.iterrows()
        for split in splits
    ]
    x = {
        "field": "epoch",
        "type": "quantitative",
        "scale": {"zero": False},
        "axis": {"tickMinStep": 1, "format": "d"},
    }
    return {
        "layer": [
            {
                "data": {"values": [{"epoch": epoch}]},
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#888"},
                "encoding": {"x": x},
            },
            {
                "data": {"values": values},
                "mark": {"type": "line", "point": True, "tooltip": True},
                "encoding": {
                    "x": x,
                    "y": {"field": measure, "type": "quantitative", "scale": {"zero": False}},
                    "color": {
                        "field": "split",
                        "scale": {"domain": splits, "range": [SPLIT_COLOURS[s] for s in splits]},
                        "legend": {"orient": "top", "title": None},
                    },
                },
            },
        ],
    }


def history_csv(history: pd.DataFrame) -> bytes:
    """The history as a CSV file."""
    return history.to_csv(index=False).encode()


def results_table(history: pd.DataFrame) -> str:
    """Loss and accuracy after the last epoch, beside what the tutorial prints."""
    columns: dict[str, dict[str, float]] = {
        "this model": {str(name): float(value) for name, value in history.iloc[-1].items()},
        **TUTORIAL,
    }
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
    return (
        figures.title("After the last epoch")
        + f'<table class="numbers roomy"><tr><th>{head}{rows}</table>'
        + figures.note(
            "Keras takes the train figures during the epoch, while the weights still change, and "
            "the others after it. Train much better than test is over-fitting: the network knows "
            "its training images by heart."
        )
    )


st.header("Model and training", anchor=False)
st.html(network_table())

for name, model in cache.models().items():
    st.subheader(f"Training of {name}", anchor=False)
    try:
        history = cache.history(model)
    except ModelError as error:
        st.warning(str(error))
        continue
    epoch, split = best_epoch(history)
    for column, measure in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        with column:
            st.vega_lite_chart(
                curves(history, measure),
                height=300,
                alt=f"Line chart of {measure} by epoch for {name}, one line a split",
            )
    st.html(
        figures.note(
            f"Dashed: epoch {epoch}, the lowest {split} loss. From where the train line goes on "
            "improving and the other does not, the network over-fits."
        )
    )
    with st.container(horizontal=True):
        downloads(
            ("History (CSV)", f"{name}.csv", partial(history_csv, history)),
            ("Curves (PNG)", f"{name}.png", partial(images.curves_figure, history, name)),
            key=f"download_{name}",
        )
        with st.popover("Model card"):
            try:
                st.markdown(model.folder.card())
            except ModelError as error:
                st.warning(str(error))

st.subheader(f"How good {view.model.folder.name} is", anchor=False)
left, right = st.columns(2, gap="medium")
with left:
    try:
        st.html(results_table(cache.history(view.model)))
    except ModelError as error:
        st.warning(str(error))
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
