"""The network, how it was trained, and how good it is (rows S5 and S6 of the tutorial)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core import cache, memo
from core.cache import Version
from core.dataset import CLASS_NAMES
from core.models import attempts
from core.network import Layer, ModelError
from core.pictures import download_figures, export
from core.pictures.scales import Scale
from ui import controls, markup, state
from ui.card import card_menu
from ui.charts import kernels
from ui.charts import model_training as charts
from ui.components.epoch_player import Film, epoch_player
from ui.downloads import downloads
from ui.fragments import fragment
from ui.mistakes import show_mistakes
from ui.view import NO_CHECKPOINTS, View, measured

CHARTS_PER_ROW = 3


def page(view: View) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.header("Model and training", anchor=False, width="content")
        part = controls.panel(["training", "mistakes", "epochs"], key="part")
    if part == "training":
        training_part(view)
    elif part == "mistakes":
        show_mistakes(view)
    else:
        epochs_part(view)
    markup.show(
        markup.note(
            markup.link(
                state.address("model_training", model="tutorial"),
                "As in the tutorial: the model that its recipe trains",
            )
            + f". {markup.NUMBERS_DIFFER}"
        )
    )


def training_part(view: View) -> None:
    """Draw the network, the training of each model, and the results of the one in view."""
    markup.show(
        memo.kept(partial(charts.network_table, view.network), "network table", view.model.key)
    )
    st.subheader("How each model was trained", anchor=False)
    markup.show(
        markup.note(
            "Left to right on the same axes, so heights compare; epochs differ. Shaded is the gap "
            "where the network is better on images that it learns from than on images that it "
            "never learns from: <b>over-fitting</b>, it knows the first by heart. Dashed: the "
            "epoch with the lowest loss on the others. Beside <i>test</i>, the train line is "
            "Keras's mean over the epoch, while weights still change; beside <i>validation</i>, "
            "both lines were taken after the epoch, with dropout off, in a run with 5,000 training "
            "images held out."
        )
    )
    trained = trained_models(view)
    for problem in trained.problems:
        st.warning(problem)
    if trained.without_history:
        names = escape(", ".join(trained.without_history))
        markup.show(markup.note(f"Without a training history (history.csv): {names}."))
    all_curves(trained)
    attempts_overview()
    st.subheader(f"How good {markup.as_text(view.model.folder.name)} is", anchor=False)
    results(view, trained.histories.get(view.model.folder.name))


@dataclass(frozen=True)
class TrainedModels:
    """All models and the histories of their trainings.

    Attributes:
        models: All models by name; the one in view in the version that the page shows.
        histories: The history of each model that has a readable one, by name.
        without_history: The names of the models that came without one.
        problems: Markdown that says why a history cannot be read, one sentence per model.
    """

    models: Mapping[str, Version]
    histories: Mapping[str, pd.DataFrame]
    without_history: list[str]
    problems: list[str]


def trained_models(view: View) -> TrainedModels:
    """Return all models and their histories."""
    # The model in view as the rest of the page shows it, whatever its folder holds by now.
    models = cache.models() | {view.model.folder.name: view.model}
    histories, without_history, problems = {}, [], []
    for name, model in models.items():
        try:
            history = cache.history(model)
        except ModelError as error:
            problems.append(markup.sentence(error))
            continue
        if history is None:
            without_history.append(name)
        else:
            histories[name] = history
    return TrainedModels(models, histories, without_history, problems)


def all_curves(trained: TrainedModels) -> None:
    """Draw the curves of all trainings, on the same axes."""
    histories, names = trained.histories, list(trained.histories)
    domains = memo.once(
        partial(charts.domains, list(histories.values())),
        *("axes", *(trained.models[name].key for name in names)),
    )
    for start in range(0, len(names), CHARTS_PER_ROW):
        row = names[start : start + CHARTS_PER_ROW]
        columns = st.columns(min(len(names), CHARTS_PER_ROW))
        for name, column in zip(row, columns, strict=False):
            with column:
                curves(name, trained.models[name], histories[name], domains)


def curves(
    name: str, model: Version, history: pd.DataFrame, domains: Mapping[str, charts.Domain]
) -> None:
    """Draw accuracy and loss of one training, the over-fitting in words, and the files."""
    over_fitting = memo.kept(
        partial(charts.overfitting_sentence, history), "over-fitting", model.key
    )
    markup.show(
        markup.title(name, f"{len(history)} {'epoch' if len(history) == 1 else 'epochs'}")
        + markup.legend(charts.curve_colours(history))
    )
    for measure, domain in domains.items():
        chart = partial(charts.curves, history, measure, domain)
        st.vega_lite_chart(
            memo.once(chart, "curves", model.key, measure, domain),
            height=230,
            alt=f"Line chart of {measure} by epoch for {name}. {over_fitting}",
        )
    markup.show(markup.note(over_fitting))
    file = markup.file_name(name)
    with st.container(horizontal=True):
        downloads(
            ("History (CSV)", f"{file}.csv", partial(history_csv, history)),
            ("Curves (PNG)", f"{file}.png", partial(download_figures.curves_figure, history, name)),
            key=f"download_{name}",
        )
        card_menu(name, model)


def history_csv(history: pd.DataFrame) -> bytes:
    """Return the history as a CSV file."""
    return history.to_csv(index=False).encode()


def attempts_overview() -> None:
    """Draw the attempts on the way to the tuned recipe, with their accuracy."""
    try:
        tried = cache.tried()
    except ModelError as error:
        st.warning(markup.sentence(error))
        return
    st.subheader("What each change brought", anchor=False)
    st.vega_lite_chart(
        memo.once(partial(charts.attempts_chart, tried), "attempts", tried),
        height=32 * len(tried) + 110,
        alt="Chart of the validation accuracy of each attempt: "
        + ", ".join(f"{row.change} {row.validation_accuracy:.2%}" for row in tried),
    )
    markup.show(
        markup.note(
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


def results(view: View, history: pd.DataFrame | None) -> None:
    """Draw the results after the last epoch, and the accuracy of each class."""
    insights, problem = measured(view)

    def pieces() -> str:
        if insights is None:
            return markup.halves(charts.results_table(history, {}), markup.note(problem))
        labels = cache.split("test").labels
        accuracy, loss = insights.accuracy(labels), insights.loss(labels)
        return markup.halves(
            charts.results_table(history, {"test_accuracy": accuracy, "test_loss": loss}),
            charts.class_accuracies(accuracy, insights.class_accuracy(labels)),
        )

    markup.show(memo.kept(pieces, "how good", view.model.key, history is None, problem))


def epochs_part(view: View) -> None:
    """Draw the first convolution's kernels at each saved epoch, and in the end."""
    name = view.model.folder.name
    st.subheader(f"When {markup.as_text(name)} learned it", anchor=False)
    first = next((layer for layer in view.network.layers if layer.kind == "Conv2D"), None)
    if first is None:
        markup.show(markup.note(f"{escape(name)} has no convolution, so no kernels to look at."))
        return
    epochs(view, first.name)
    final_kernels(view, first)


@fragment
def epochs(view: View, layer: str) -> None:
    """Draw the first kernels, the prediction and the accuracy at each epoch that was saved."""
    try:
        saved = list(cache.checkpoints(view.model))
        if not saved:
            markup.show(markup.note(NO_CHECKPOINTS))
            return
        probabilities = cache.epoch_probabilities(view.model, view.index)
    except ModelError as error:
        markup.show(markup.note(escape(str(error))))
        return
    film = memo.once(partial(kernel_film, view, layer), "film of the kernels", view.model.key)
    insights, _ = measured(view)
    epoch_player(view, [film], saved, probabilities, insights)
    markup.show(
        markup.note(
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
                {"kernels": saved_kernels(view, layer), "epochs": np.array(saved)}
            ),
        ),
        (
            "Predictions of all epochs (CSV)",
            f"image{view.index}_epochs.csv",
            lambda: export.table_csv(
                ("epoch", *CLASS_NAMES),
                [
                    (epoch, *shares)
                    for epoch, shares in zip(saved, probabilities.tolist(), strict=True)
                ],
            ),
        ),
        key="download_epochs",
    )


def kernel_film(view: View, layer: str) -> Film:
    """Return the kernels of the first convolution, epoch by epoch."""
    return kernels.all_kernels_film(layer, saved_kernels(view, layer))


def saved_kernels(view: View, layer: str) -> npt.NDArray[np.float32]:
    """Return the kernels of the first convolution at each saved epoch, (epochs, h, w, filters)."""
    return np.stack(
        [
            network.layer(layer).weights["kernel"][:, :, 0, :]
            for network in cache.checkpoints(view.model).values()
        ]
    )


def final_kernels(view: View, first: Layer) -> None:
    """Draw the kernels of the first convolution after the whole training."""
    weights = first.weights["kernel"][:, :, 0, :]  # (h, w, filters)
    biases = first.weights.get("bias", np.zeros(weights.shape[2], np.float32))
    st.subheader(f"The {weights.shape[2]} kernels of {markup.as_text(first.name)}", anchor=False)
    markup.show(
        memo.kept(
            partial(kernels.kernel_sheet, first.name, weights, biases), "kernels", view.model.key
        )
    )
    downloads(
        (
            "Kernels (PNG)",
            "kernels.png",
            lambda: download_figures.sheet_figure(
                weights, Scale.centred(weights), "Kernels of the first convolution"
            ),
        ),
        ("Kernels (NPY)", "kernels.npy", lambda: export.numbers_npy(weights)),
        key="download_kernels",
    )


if __name__ == "__main__":  # see docs/architecture.md, "Started as a plain script"
    import pages

    pages.run()
