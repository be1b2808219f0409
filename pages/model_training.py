"""The network, how it was trained, and how good it is (rows S5 and S6 of the tutorial)."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core import cache
from core.cache import Version
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights, calibration_error, doubted_labels
from core.models import attempts
from core.network import Layer, ModelError
from core.pictures import download_figures, export
from core.pictures.colours import SPLIT_COLOURS
from core.pictures.scales import PIXELS, Scale
from core.pictures.sheets import SHEET_COLUMNS, sheet_uri, tile
from ui import charts, controls, frame, html
from ui.card import card_html
from ui.components.contact_sheet import COLUMNS, contact_sheet
from ui.components.epoch_player import Film, epoch_player
from ui.downloads import downloads
from ui.fragments import fragment

frame.start_page()
view = frame.view()

CHARTS_A_ROW = 3
MOST = 48  # images in a sheet
SURE = 0.9
# How many images were found; of those shown the numbers, what each is, and a few words on it; and
# their picture.
Sheet = tuple[int, list[int], list[str], list[str], str]

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
        f"<tr><th>{escape(layer.name)}<td>{layer.kind}<td>{html.shape(layer.output_shape)}"
        f"<td>{layer.activation or ''}<td>{layer.parameter_formula}"
        for layer in view.network.layers
    )
    return (
        html.title("The network", f"{view.network.parameter_count:,} parameters in all")
        + html.scrolling(
            '<table class="numbers roomy"><tr><th>layer<th>kind<th>output<th>activation'
            f"<th>parameters{rows}</table>",
            "Table of the layers",
        )
        + html.note(
            "A convolution has kernel height × kernel width × input channels × filters weights and "
            "one bias a filter; a dense layer has inputs × outputs weights and one bias an output. "
            "Pooling and flattening have nothing to learn."
        )
    )


def gap(history: pd.DataFrame) -> str:
    """Return a sentence on the over-fitting in the last epoch."""
    last, split = history.iloc[-1], charts.held_out(history)
    points = 100 * (last["train_accuracy"] - last[f"{split}_accuracy"])
    loss = last["train_loss"] - last[f"{split}_loss"]
    return (
        f"In the last epoch the accuracy on images that it learns from is {abs(points):.1f} points "
        f"{_direction(points)} than on {split} images, and the loss {abs(loss):.3f} "
        f"{_direction(loss)}."
    )


def _direction(difference: float) -> str:
    return "higher" if difference >= 0 else "lower"


def axes(histories: Sequence[pd.DataFrame]) -> dict[str, tuple[float, float]]:
    """The bounds that the charts of all trainings share."""
    if not histories:
        return {}
    return {measure: charts.domain(histories, measure) for measure in ("accuracy", "loss")}


def history_csv(history: pd.DataFrame) -> bytes:
    """The history as a CSV file."""
    return history.to_csv(index=False).encode()


def curves_of(
    name: str, model: Version, history: pd.DataFrame, bounds: dict[str, tuple[float, float]]
) -> None:
    """Accuracy and loss of one training, the gap in words, and what there is to take along."""
    over_fitting = cache.kept(partial(gap, history), "gap", model.key)
    html.show(
        html.title(name, f"{len(history)} {'epoch' if len(history) == 1 else 'epochs'}")
        + html.legend(charts.curve_colours(history))
    )
    for measure, axis in bounds.items():
        chart = partial(charts.curves, history, measure, axis)
        st.vega_lite_chart(
            cache.once(chart, "curves", model.key, measure, axis),
            height=230,
            alt=f"Line chart of {measure} by epoch for {name}. {over_fitting}",
        )
    html.show(html.note(over_fitting))
    file = html.file_name(name)
    with st.container(horizontal=True):
        downloads(
            ("History (CSV)", f"{file}.csv", partial(history_csv, history)),
            ("Curves (PNG)", f"{file}.png", partial(download_figures.curves_figure, history, name)),
            key=f"download_{name}",
        )
        try:
            card, damage = cache.card(model), ""
        except ModelError as error:
            card, damage = "", html.note(escape(str(error)))
        if card is None:
            return
        menu = st.popover("Model card", key=f"card_{name}", on_change="rerun")
        if menu.open:
            with menu:
                html.show(damage or card_html(card))


def what_each_change_brought() -> None:
    """The attempts on the way to the tuned recipe, with their accuracy."""
    try:
        tried = cache.tried()
    except ModelError as error:
        st.warning(html.sentence(error))
        return
    st.subheader("What each change brought", anchor=False)
    st.vega_lite_chart(
        cache.once(partial(charts.attempts, tried), "attempts", tried),
        height=32 * len(tried) + 110,
        alt="Chart of the validation accuracy of each attempt: "
        + ", ".join(f"{row.change} {row.validation_accuracy:.2%}" for row in tried),
    )
    html.show(
        html.note(
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
            f"<td>{html.missing(values.get(f'{split}_{measure}'), '.4f')}"
            for values in columns.values()
        )
        for split in SPLIT_COLOURS
        for measure in ("accuracy", "loss")
        if any(f"{split}_{measure}" in values for values in columns.values())
    )
    head = "<th>".join(("", "this model", "tutorial, its table", "tutorial, its evaluate"))
    validated = history is not None and charts.held_out(history) == "validation"
    return (
        html.title("After the last epoch")
        + f'<table class="numbers roomy"><tr><th>{head}{rows}</table>'
        + html.note(
            "Train and validation are of the run with 5,000 training images held out, on which "
            "everything was chosen. The model in view was then trained on all 60,000, and tested "
            "once."
            if validated
            else "Keras takes the train figures during the last epoch, while the weights still "
            "change, and the test figures after it."
        )
    )


def how_good(history: pd.DataFrame | None) -> str:
    """The figures after the last epoch, and the accuracy of each class."""
    if insights is None:
        classes = html.note(problem)
    else:
        labels = cache.split("test").labels
        accuracies = insights.class_accuracy(labels)
        classes = (
            html.title("Test accuracy of each class", f"{insights.accuracy(labels):.2%} in all")
            + html.class_bars(accuracies, "Bars of the test accuracy of each class")
            + html.note(
                "Share of the 1,000 test images of a class that it gets right. What it takes the "
                "others for is under <i>mistakes</i>, above."
            )
        )
    return html.halves(results_table(history, insights), classes)


def sheet(found: npt.NDArray[np.intp], words: Callable[[int], str]) -> Sheet:
    """The sheet of the first ones of the test images that were found, with a few words on each."""
    test, shown = cache.split("test"), found[:MOST].tolist()
    captions = [words(image) for image in shown]
    names = [CLASS_NAMES[label] for label in test.labels[shown]]
    said = [f"{name}, {caption}" for name, caption in zip(names, captions, strict=True)]
    pixels = np.moveaxis(test.images[shown], 0, 2)
    picture = sheet_uri(pixels, COLUMNS, PIXELS) if shown else ""
    return len(found), shown, said, captions, picture


def open_in_explorer(key: str, title: str, found: Sheet, note: str) -> None:
    """A sheet of test images, and words on it; a click on one opens it in the filter explorer."""
    count, shown, names, captions, picture = found
    heading = html.title(title, f"{len(shown)} of {count} images")
    if not shown:
        html.show(heading + html.note("There is no such test image.") + note)
        return
    html.show(heading)
    # An address ends with the image.
    explorer = controls.address("filter_explorer", image="")
    contact_sheet(
        cache.split("test").images[shown],
        shown,
        names,
        view.index,
        key=key,
        links=[f"{explorer}{image}" for image in shown],
        captions=captions,
        sheet=picture,
    )
    html.show(note)


def cell_images(insights: Insights, true: int, predicted: int) -> Sheet:
    """The images of a cell of the confusion matrix, the surest first, each with its probability."""
    found = insights.taken_for(cache.split("test").labels, true, predicted)
    return sheet(found, lambda image: f"{insights.confidences[image]:.0%}")


def confusion(insights: Insights, shares: bool) -> dict[str, Any]:
    """The chart of the confusion matrix, without a chosen cell."""
    return charts.confusion(insights.confusion(cache.split("test").labels), shares)


@fragment
def mistakes(insights: Insights) -> None:
    """The confusion matrix, and the images of one of its cells."""
    left, right = st.columns([6, 5], gap="medium")
    with left:
        with st.container(horizontal=True):
            true, predicted = controls.confusion_cell()
            shares = controls.cells_as_shares()
        matrix = cache.once(
            partial(confusion, insights, shares), "confusion", view.model.key, shares
        )
        st.vega_lite_chart(
            charts.outlined(matrix, true, predicted),
            key="confusion",
            on_select=pick_cell,
            height=440,
            alt="Confusion matrix of the ten classes",
        )
        html.show(
            html.note(
                "Each row is the 1,000 test images of a class, each column what the network takes "
                "them for; on the diagonal it is right. Colour is the number of mistakes in a "
                "cell. Click a cell, or choose its classes above."
            )
        )
    with right:
        found = cache.once(
            partial(cell_images, insights, true, predicted),
            *("cell", view.model.key, true, predicted),
        )
        right_class = true == predicted
        open_in_explorer(
            "mistakes",
            f"{CLASS_NAMES[true]} {'recognized as' if right_class else 'taken for'} "
            f"{CLASS_NAMES[predicted]}",
            found,
            html.note(
                f"Below each image the probability of the {'' if right_class else 'wrong '}class, "
                "the surest first."
            )
            + html.note("Click one to see in the explorer what the filters make of it."),
        )


def pick_cell() -> None:
    """Takes over the classes of the cell that was clicked."""
    for cell in controls.clicked("confusion", "cell"):
        true, predicted = cell.get("true"), cell.get("predicted")
        if true in CLASS_NAMES and predicted in CLASS_NAMES:
            controls.choose(true=true, predicted=predicted)


def calibration(insights: Insights) -> None:
    """Draw the accuracy by confidence."""
    labels = cache.split("test").labels
    bins = cache.once(partial(insights.calibration, labels), "calibration", view.model.key)
    html.show(
        html.title(
            "Does it know how sure to be?", f"calibration error {calibration_error(bins):.1%}"
        )
    )
    st.vega_lite_chart(
        cache.once(partial(charts.calibration, bins), "calibration chart", view.model.key),
        height=330,
        alt="Accuracy against confidence: "
        + ", ".join(f"{each.confidence:.0%} sure, {each.accuracy:.0%} right" for each in bins),
    )
    html.show(
        html.note(
            "Test images by the probability of the predicted class, in steps of 0.1; at the "
            "bottom their number, the line is a 95 % Wilson interval. On the dashed line "
            "the network is right as often as it claims; below it is too sure of itself. The "
            "calibration error is the mean distance from that line over all images."
        )
    )


def labels_that_look_wrong(insights: Insights) -> None:
    """The test images of which all models say with confidence that they are of another class."""
    models = cache.models().values()
    measured = {model.key: found for model in models if (found := cached_insights(model))}

    def doubted() -> Sheet:
        labels, said = cache.split("test").labels, insights.predictions
        found = doubted_labels(list(measured.values()), labels, SURE)
        return sheet(found, lambda image: f"{labels[image]} → {said[image]}")

    open_in_explorer(
        "doubted",
        "Labels that look wrong",
        # They all say the same of these images.
        cache.once(doubted, "doubted", *measured),
        html.note(
            f"Each model here ({len(measured)}) gives the same other class at least {SURE:.0%}. "
            "Below each image the number of its label, and of what they say instead. Some "
            "labels are wrong, others are right and the image is odd: look, and decide."
        ),
    )


def cached_insights(model: Version) -> Insights | None:
    """Return a model's insights; None if they are missing or damaged, which its own page says."""
    try:
        return cache.insights(model)
    except ModelError:
        return None


def saved_kernels(layer: str) -> npt.NDArray[np.float32]:
    """The kernels of the first convolution at each saved epoch, (epochs, h, w, filters)."""
    return np.stack(
        [
            network.layer(layer).weights["kernel"][:, :, 0, :]
            for network in cache.checkpoints(view.model).values()
        ]
    )


def film(layer: str) -> Film:
    """The kernels of the first convolution, epoch by epoch."""
    kernels = saved_kernels(layer)
    # A cell of 0, which is white, between the kernels.
    apart = np.pad(kernels, ((0, 0), (0, 1), (0, 1), (0, 0)))
    return Film(
        f"The {kernels.shape[3]} kernels of {layer}",
        "Weights: blue against, red for. Row by row, filter 0 first.",
        np.stack([tile(one, SHEET_COLUMNS) for one in apart]),
        Scale.centred(kernels),
        320,
    )


@fragment
def when_it_learned(layer: str) -> None:
    """The first kernels, the prediction and the accuracy at each epoch that was saved."""
    try:
        epochs = list(cache.checkpoints(view.model))
        if not epochs:
            html.show(html.note(frame.NO_CHECKPOINTS))
            return
        probabilities = cache.epoch_probabilities(view.model, view.index)
    except ModelError as error:
        html.show(html.note(escape(str(error))))
        return
    epoch_player(
        view,
        [cache.once(partial(film, layer), "film of the kernels", view.model.key)],
        epochs,
        probabilities,
        insights,
    )
    html.show(
        html.note(
            "The weights that were saved while it was trained, on one colour scale. <b>Look "
            "for</b> how much of the accuracy is there after the first saved epoch, and how little "
            "the kernels change after that. The Filter explorer shows the same for each filter and "
            "its map, under <i>epochs</i>."
        )
    )
    downloads(
        (
            "Kernels of all epochs (NPZ)",
            "kernels_epochs.npz",
            lambda: export.arrays_npz(
                {"kernels": saved_kernels(layer), "epochs": np.array(epochs)}
            ),
        ),
        (
            "Predictions of all epochs (CSV)",
            f"image{view.index}_epochs.csv",
            lambda: export.table_csv(
                ("epoch", *CLASS_NAMES),
                [
                    (epoch, *shares)
                    for epoch, shares in zip(epochs, probabilities.tolist(), strict=True)
                ],
            ),
        ),
        key="download_epochs",
    )


def kernels_in_the_end(first: Layer) -> None:
    """The kernels of the first convolution after the whole training."""
    kernels = first.weights["kernel"][:, :, 0, :]
    scale = Scale.centred(kernels)

    def pictures() -> str:
        biases = first.weights.get("bias", np.zeros(kernels.shape[2], np.float32))
        return html.sheet(
            kernels,
            scale,
            f"Sheet of the {kernels.shape[2]} kernels of {first.name}",
            [f"{index}: {bias:+.2f}" for index, bias in enumerate(biases.round(2) + 0.0)],
        ) + html.colour_bar(
            scale,
            "Weight, no unit: blue counts against, red for, white is 0. Above each kernel its "
            "number and its bias. Red on one side and blue on the other is an edge detector.",
        )

    name = html.as_text(first.name)
    st.subheader(f"The {kernels.shape[2]} kernels of {name}", anchor=False)
    html.show(cache.kept(pictures, "kernels", view.model.key))
    downloads(
        (
            "Kernels (PNG)",
            "kernels.png",
            lambda: download_figures.sheet_figure(
                kernels, scale, "Kernels of the first convolution"
            ),
        ),
        ("Kernels (NPY)", "kernels.npy", lambda: export.numbers_npy(kernels)),
        key="download_kernels",
    )


with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    st.header("Model and training", anchor=False, width="content")
    part = controls.panel(["training", "mistakes", "epochs"], key="part")
name = view.model.folder.name
insights, problem = frame.measured(view)

if part == "training":
    html.show(cache.kept(network_table, "network table", view.model.key))

    # The model in view as the rest of the page shows it, whatever its folder holds by now.
    models = cache.models() | {name: view.model}
    histories, without, problems = {}, [], []
    for each, model in models.items():
        try:
            found = cache.history(model)
        except ModelError as error:
            problems.append(html.sentence(error))
            continue
        if found is None:
            without.append(each)
        else:
            histories[each] = found
    st.subheader("How each model was trained", anchor=False)
    html.show(
        html.note(
            "Left to right on the same axes, so heights compare; epochs differ. Shaded is the gap "
            "where the network is better on images that it learns from than on images that it "
            "never learns from: <b>over-fitting</b>, it knows the first by heart. Dashed: the "
            "epoch with the lowest loss on the others. Beside <i>test</i>, the train line is "
            "Keras's mean over the epoch, while weights still change; beside <i>validation</i>, "
            "both lines were taken after the epoch, with dropout off, in a run with 5,000 training "
            "images held out."
        )
    )
    for sentence in problems:
        st.warning(sentence)
    if without:
        html.show(
            html.note(f"Without a training history (history.csv): {escape(', '.join(without))}.")
        )
    bounds = cache.once(
        partial(axes, list(histories.values())), "axes", *(models[each].key for each in histories)
    )
    names = list(histories)
    for start in range(0, len(names), CHARTS_A_ROW):
        row = names[start : start + CHARTS_A_ROW]
        for each, column in zip(row, st.columns(min(len(names), CHARTS_A_ROW)), strict=False):
            with column:
                curves_of(each, models[each], histories[each], bounds)

    what_each_change_brought()

    st.subheader(f"How good {html.as_text(name)} is", anchor=False)
    history = histories.get(name)
    html.show(
        cache.kept(partial(how_good, history), "how good", view.model.key, history is None, problem)
    )
elif part == "mistakes":
    st.subheader(f"Where {html.as_text(name)} errs", anchor=False)
    if insights is None:
        html.show(html.note(problem))
    else:
        mistakes(insights)
        left, right = st.columns(2, gap="medium")
        with left:
            calibration(insights)
        with right:
            labels_that_look_wrong(insights)
else:
    st.subheader(f"When {html.as_text(name)} learned it", anchor=False)
    first = next((layer for layer in view.network.layers if layer.kind == "Conv2D"), None)
    if first is None:
        html.show(html.note(f"{escape(name)} has no convolution, so no kernels to look at."))
    else:
        when_it_learned(first.name)
        kernels_in_the_end(first)

html.show(
    html.note(
        html.link(
            controls.address("model_training", model="tutorial"),
            "As in the tutorial: the model that its recipe trains",
        )
        + f". {html.NUMBERS_DIFFER}"
    )
)
