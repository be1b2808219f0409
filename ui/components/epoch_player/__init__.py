"""A slider over a model's saved epochs, with play, and a sheet of maps that follows it.

Both are browser components. All epochs are sent at once, so moving the slider asks nothing of the
server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.cache import EpochMaps
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights
from core.pictures.colours import colour_stops
from core.pictures.scales import FloatArray, Scale
from core.pictures.shades import SHADES
from core.pictures.sheets import SHEET_COLUMNS, sheet_uri
from ui import controls, markup
from ui.components.data import as_json
from ui.components.modules import JavaScriptModules
from ui.view import View

_HERE = Path(__file__).parent
_MODULES = JavaScriptModules(
    "epochs",
    _HERE,
    ("../choice.js", "shown.js", "player.js", "sheet.js", "main.js"),
)
# A component of its own, so that the modules are sent once and not with each image.
_code = st.components.v2.component("epoch_code", js=_MODULES.carry_and_call("carry"))


def _component(name: str, function: str) -> Any:
    return st.components.v2.component(
        name,
        html='<div class="epoch-player"></div>',
        css=(_HERE / "style.css").read_text(),
        js=_MODULES.call(function),
    )


_player = _component("epoch_player", "player")
_sheet = _component("epoch_sheet", "sheet")


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


@dataclass(frozen=True)
class MapFilm:
    """The same of one map of `epoch_sheet`, whose pictures the browser has; the sheet outlines
    it."""

    title: str
    words: str
    index: int
    size: tuple[int, int]
    scale: Scale
    width: int


def epoch_player(
    view: View,
    films: Sequence[Film | MapFilm],
    epochs: Sequence[int],
    probabilities: FloatArray,
    insights: Insights | None,
) -> None:
    """Show what was saved of a training, one epoch at a time; the chosen one is in the URL.

    Args:
        view: the model and the image.
        films: the pictures.
        epochs: their numbers, ascending, 0 for before the training.
        probabilities: the network's output for the image in view at each epoch, (epochs, 10).
        insights: with the test accuracy at each epoch, if the model was measured.
    """
    _code(key="epoch_code")
    _player(
        data=as_json(
            epochs=list(epochs),
            at=list(epochs).index(controls.epoch(epochs)),
            films=[_film(film) for film in films],
            classes=CLASS_NAMES,
            label=view.label,
            title=view.title,
            probabilities=probabilities.round(4).tolist(),
            accuracies=insights.epoch_accuracy.round(4).tolist() if insights else [],
        ),
        key="epoch_player",
    )


def epoch_sheet(maps: EpochMaps, title: str) -> None:
    """Shows all maps of a layer at the epoch of the player on the same page.

    It is a component of its own because a filter move leaves it as it is: Streamlit sends a large
    message that did not change only once.
    """
    header = as_json(
        title=title,
        shape=maps.shape,
        columns=min(SHEET_COLUMNS, len(maps.scales)),
        colours=colour_stops(maps.scales[0].palette, SHADES),
    )
    _sheet(data=len(header).to_bytes(4, "little") + header + maps.shades, key="epoch_sheet")


def _film(film: Film | MapFilm) -> dict[str, object]:
    picture = (
        {"index": film.index, "size": film.size}
        if isinstance(film, MapFilm)
        else {"sheet": film.sheet, "size": film.pictures.shape[1:]}
    )
    return picture | {
        "title": film.title,
        "words": film.words,
        "width": film.width,
        "colours": colour_stops(film.scale.palette),
        "ends": [markup.number(film.scale.low), markup.number(film.scale.high)],
    }
