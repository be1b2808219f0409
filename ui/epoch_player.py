"""A slider over a model's saved epochs, with play, a browser component.

All epochs are sent at once, so moving the slider asks nothing of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import streamlit as st

from core.dataset import CLASS_NAMES
from core.images import SHEET_COLUMNS, FloatArray, Scale, colour_stops, sheet_uri
from core.insights import Insights
from core.network import Shape
from ui import controls, figures
from ui.frame import View
from ui.serving import as_json

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "epoch_player",
    html='<div class="epoch-player"></div>',
    css=(_HERE / "epoch_player.css").read_text(),
    js=(_HERE / "epoch_player.js").read_text(),
)


_sheet = st.components.v2.component(
    "epoch_sheet",
    html='<div class="epoch-player"></div>',
    css=(_HERE / "epoch_player.css").read_text(),
    js=(_HERE / "epoch_sheet.js").read_text(),
)


@dataclass(frozen=True)
class Film:
    """A picture that changes with the epoch: a title, words on it, an array (epochs, h, w) on one
    scale, and its width in CSS pixels."""

    title: str
    words: str
    pictures: FloatArray
    scale: Scale
    width: int

    @cached_property
    def sheet(self) -> str:
        """All pictures below each other in one, as the `src` of an image."""
        return sheet_uri(np.moveaxis(self.pictures, 0, 2), 1, self.scale)


def epoch_player(
    view: View,
    films: Sequence[Film],
    epochs: Sequence[int],
    probabilities: FloatArray,
    insights: Insights | None,
    chosen: int | None = None,
) -> None:
    """Shows what was saved of a training, one epoch at a time; the chosen one is in the URL.

    Args:
        view: the model and the image.
        films: the pictures.
        epochs: their numbers, ascending, 0 for before the training.
        probabilities: the network's output for the image in view at each epoch, (epochs, 10).
        insights: with the test accuracy at each epoch, if the model was measured.
        chosen: the filter that `epoch_sheet` outlines.
    """

    def picked() -> None:
        # What comes from a browser may be anything.
        epoch = st.session_state["epoch_player"].picked
        if type(epoch) is int and epoch in epochs:
            controls.keep_epoch(epoch, epochs)

    _component(
        data=as_json(
            epochs=list(epochs),
            at=list(epochs).index(controls.epoch(epochs)),
            films=[_film(film) for film in films],
            classes=CLASS_NAMES,
            label=view.label,
            chosen=chosen,
            title=view.title,
            probabilities=probabilities.round(4).tolist(),
            accuracies=insights.epoch_accuracy.round(4).tolist() if insights else [],
        ),
        key="epoch_player",
        on_picked_change=picked,
    )


def epoch_sheet(sheet: str, shape: Shape, epochs: int) -> None:
    """Shows all maps of a layer at the epoch of the player on the same page.

    It is a component of its own because a filter move leaves it as it is: Streamlit sends a large
    message that did not change only once.

    Args:
        sheet: what `cache.epoch_sheet` gives.
        shape: the layer's output shape (h, w, filters).
        epochs: how many there are.
    """
    height, width, count = shape
    columns = min(SHEET_COLUMNS, count)
    _sheet(
        data=as_json(
            sheet=sheet,
            columns=columns,
            size=[-(-count // columns) * height, columns * width],
            cell=[height, width],
            count=count,
            epochs=epochs,
        ),
        key="epoch_sheet",
    )


def _film(film: Film) -> dict[str, object]:
    _, height, width = film.pictures.shape
    return {
        "title": film.title,
        "words": film.words,
        "sheet": film.sheet,
        "size": [height, width],
        "width": film.width,
        "colours": colour_stops(film.scale.palette),
        "ends": [figures.number(film.scale.low), figures.number(film.scale.high)],
    }
