"""Mistakes of the model in view: confusion matrix, calibration, and labels that look wrong."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core import cache, memo
from core.cache import Version
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights, calibration_error, doubted_labels
from core.network import ModelError
from ui import controls, markup, state
from ui.charts import mistakes as charts
from ui.charts.vega import Spec
from ui.fragments import fragment
from ui.image_links import ImageSheet, image_sheet, show_image_links
from ui.view import View, measured

MIN_DOUBT = 0.9  # probability of another class that all models give to an image with a wrong label


def show_mistakes(view: View) -> None:
    """Draw the model's mistakes, its calibration, and labels that look wrong."""
    st.subheader(f"Where {markup.as_text(view.model.folder.name)} errs", anchor=False)
    insights, problem = measured(view)
    if insights is None:
        markup.show(markup.note(problem))
        return
    confusion(view)
    left, right = st.columns(2, gap="medium")
    with left:
        calibration(view, insights)
    with right:
        labels_that_look_wrong(insights)


@fragment
def confusion(view: View) -> None:
    """Draw the confusion matrix, and the images of one of its cells."""
    insights, problem = measured(view)
    if insights is None:
        markup.show(markup.note(problem))
        return
    left, right = st.columns([6, 5], gap="medium")
    with left:
        with st.container(horizontal=True):
            true, predicted = controls.confusion_cell()
            shares = controls.cells_as_shares()
        matrix = memo.once(
            partial(confusion_matrix, insights, shares), "confusion", view.model.key, shares
        )
        st.vega_lite_chart(
            charts.outlined(matrix, true, predicted),
            key="confusion",
            on_select=choose_clicked_cell,
            height=440,
            alt="Confusion matrix of the ten classes",
        )
        markup.show(
            markup.note(
                "Each row is the 1,000 test images of a class, each column what the network takes "
                "them for; on the diagonal it is right. Colour is the number of mistakes in a "
                "cell. Click a cell, or choose its classes above."
            )
        )
    with right:
        sheet = memo.once(
            partial(cell_sheet, insights, true, predicted),
            *("cell", view.model.key, true, predicted),
        )
        right_class = true == predicted
        show_image_links(
            "mistakes",
            f"{CLASS_NAMES[true]} {'recognized as' if right_class else 'taken for'} "
            f"{CLASS_NAMES[predicted]}",
            sheet,
            markup.note(
                f"Below each image the probability of the {'' if right_class else 'wrong '}class, "
                "the surest first."
            )
            + markup.note("Click one to see in the explorer what the filters make of it."),
        )


def confusion_matrix(insights: Insights, shares: bool) -> Spec:
    """Return the chart of the confusion matrix, without a chosen cell."""
    return charts.confusion_matrix(insights.confusion(cache.split("test").labels), shares)


def choose_clicked_cell() -> None:
    """Choose the classes of the cell that was clicked."""
    for cell in controls.clicked("confusion", "cell"):
        true, predicted = cell.get("true"), cell.get("predicted")
        if true in CLASS_NAMES and predicted in CLASS_NAMES:
            state.set_parameters(true=true, predicted=predicted)


def cell_sheet(insights: Insights, true: int, predicted: int) -> ImageSheet:
    """Return the images of a cell, the surest first, with the probability of their class."""
    indices = insights.taken_for(cache.split("test").labels, true, predicted)
    return image_sheet(indices, lambda image: f"{insights.confidences[image]:.0%}")


def calibration(view: View, insights: Insights) -> None:
    """Draw the accuracy by confidence."""
    labels = cache.split("test").labels
    bins = memo.once(partial(insights.calibration, labels), "calibration", view.model.key)
    markup.show(
        markup.title(
            "Does it know how sure to be?", f"calibration error {calibration_error(bins):.1%}"
        )
    )
    st.vega_lite_chart(
        memo.once(partial(charts.calibration, bins), "calibration chart", view.model.key),
        height=330,
        alt="Accuracy against confidence: "
        + ", ".join(f"{part.confidence:.0%} sure, {part.accuracy:.0%} right" for part in bins),
    )
    markup.show(
        markup.note(
            "Test images by the probability of the predicted class, in steps of 0.1; at the "
            "bottom their number, the line is a 95 % Wilson interval. On the dashed line "
            "the network is right as often as it claims; below it is too sure of itself. The "
            "calibration error is the mean distance from that line over all images."
        )
    )


def labels_that_look_wrong(insights: Insights) -> None:
    """Draw the test images that all models take with confidence for the same other class."""
    readable = {model.key: readable_insights(model) for model in cache.models().values()}
    of_models = {key: found for key, found in readable.items() if found}

    def doubted() -> ImageSheet:
        labels, predictions = cache.split("test").labels, insights.predictions
        indices = doubted_labels(list(of_models.values()), labels, MIN_DOUBT)
        return image_sheet(indices, lambda image: f"{labels[image]} → {predictions[image]}")

    show_image_links(
        "doubted",
        "Labels that look wrong",
        # All models agree on these images.
        memo.once(doubted, "doubted", *of_models),
        markup.note(
            f"Each model here ({len(of_models)}) gives the same other class at least "
            f"{MIN_DOUBT:.0%}. "
            "Below each image the number of its label, and of what they say instead. Some "
            "labels are wrong, others are right and the image is odd: look, and decide."
        ),
    )


def readable_insights(model: Version) -> Insights | None:
    """Return a model's insights, None if they are missing or damaged, as its own page says."""
    try:
        return cache.insights(model)
    except ModelError:
        return None
