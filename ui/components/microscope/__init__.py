"""The feature sheet, the microscope, the numbers, and a filter's maps of two classes: browser
components that answer without the server.

The browser gets the code with a network and its weights, and an image's outputs, or all filters'
maps of some images. So neither a pointer that moves nor another filter asks anything of the server.
choice.js says when it draws for another filter.

The code is plain JavaScript modules, in the files beside this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from core import cache
from core.network import Layer
from ui.components.data import as_json
from ui.components.modules import JavaScriptModules
from ui.view import View

_HERE = Path(__file__).parent
_MODULES = JavaScriptModules(
    "microscope",
    _HERE,
    (
        "../elements.js",
        "../choice.js",
        "arithmetic.js",
        "picture.js",
        "view.js",
        "pointer.js",
        "grid.js",
        "bars.js",
        "player.js",
        "slider.js",
        "softmax_table.js",
        "sheet.js",
        "microscope.js",
        "numbers.js",
        "pair.js",
        "style.css",
        "main.js",
    ),
)


def _component(name: str, function: str) -> Any:
    return st.components.v2.component(name, html="<div></div>", js=_MODULES.call(function))


# Carries the code as well: each component costs every move of the image as much as a widget does.
_network = st.components.v2.component("network", js=_MODULES.carry_and_call("receive"))
_image = _component("image", "receive")
_sheet = _component("feature_sheet", "sheet")
_microscope = _component("microscope", "microscope")
_numbers = _component("numbers", "numbers")
_slider = _component("filter_slider", "slider")
_pair = _component("filter_pair", "pair")


def provide(view: View, layer: Layer) -> None:
    """Send what the components for a layer need; Streamlit sends large messages only if the browser
    does not have them yet."""
    network = cache.network_packet(view.model, _is_flat(layer))
    _network(data=network, key="network_packet")
    _image(data=cache.image_packet(view.model, view.index), key="image_packet")


def provide_code() -> None:
    """Send the code that `filter_slider` and `filter_pair` need."""
    _network(key="network_packet")


def _is_flat(layer: Layer) -> bool:
    return len(layer.output_shape) == 1


def feature_sheet(
    view: View,
    layer: Layer,
    index: int,
    pinned: tuple[int, int] | None,
    shared: bool,
    tells: bool,
) -> None:
    """All maps of a layer, one of them outlined; a click or Enter chooses another one.

    Args:
        view: the model and the image.
        layer: whose maps.
        index: the filter that is chosen, as far as the server knows.
        pinned: row and column of the unit that the microscope shows while the pointer is elsewhere.
        shared: whether all maps have one colour scale.
        tells: whether the server has something to draw for another filter.
    """
    row, col = pinned or (None, None)
    _sheet(
        data=as_json(
            model=cache.network_key(view.model, _is_flat(layer)),
            image=cache.image_key(view.model, view.index),
            layer=layer.name,
            choice={"filter": index, "row": row, "col": col},
            shared=shared,
            tells=tells,
        ),
        key="sheet",
        on_pick_change=_draw_again,
    )


def microscope() -> None:
    """The slider for the filter, and how the unit under the pointer of the sheet came about."""
    _microscope(key="microscope")


def numbers() -> None:
    """The chosen map in numbers, and the kernel that made it."""
    _numbers(key="numbers")


def filter_slider(index: int, count: int, tells: bool) -> None:
    """The slider for one of `count` filters, for pages without a microscope.

    Args:
        index: the filter that is chosen, as far as the server knows.
        count: how many there are.
        tells: whether the server has something to draw for another filter.
    """
    _slider(
        data=as_json(choice={"filter": index}, count=count, tells=tells),
        key="filter_slider",
        on_pick_change=_draw_again,
    )


def filter_pair(data: bytes) -> None:
    """Show the maps of the slider's filter for the images of two classes.

    `data` is JSON. "rows" are the images' names. "columns" have a "title", a picture "src" with a
    row an image and a column a filter, the "count" of these, the "aspect" of one, and but for the
    images themselves the "ends" of each filter's colour scale and its "colours". "responses" has
    for each "layer" the "means" of both classes over all images. "names" are those of the classes,
    "words" say what to see.
    """
    _pair(data=data, key="filter_pair")


def _draw_again() -> None:
    """Do nothing: the run that follows reads the choice from the URL, where the browser put it."""
