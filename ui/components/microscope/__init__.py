"""The feature sheet, the microscope, the numbers, and a filter's maps of two classes: browser
components that answer without the server.

The browser gets the code with a network and its weights, and an image's outputs, or all filters'
maps of some images. So neither a pointer that moves nor another filter asks anything of the server.
choice.js says when it hears of the filter.

The code is plain JavaScript modules, in the files beside this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import streamlit as st

from core import cache
from core.network import Layer
from ui import controls
from ui.components.data import as_json
from ui.view import View

_HERE = Path(__file__).parent
# Each after those that it imports.
_MODULES = (
    "arithmetic.js",
    "picture.js",
    "choice.js",
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
    "main.js",
)
_CODE = json.dumps(
    {
        "modules": {name: (_HERE / name).read_text() for name in _MODULES},
        "style": (_HERE / "style.css").read_text(),
    }
).encode()
# Waits for the code, then calls one of the functions of main.js.
_CALL = """\
export default (component) => {
  const ready = (globalThis.seeTheFilters ??= Promise.withResolvers()).promise;
  ready.then((main) => main.FUNCTION(component));
  return () => ready.then((main) => main.remove(component));
};
"""


def _component(name: str, function: str) -> Any:
    return st.components.v2.component(
        name, html="<div></div>", js=_CALL.replace("FUNCTION", function)
    )


_network = st.components.v2.component("network", js=(_HERE / "starter.js").read_text())
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
    _network(data=_with_code(network), key="network_packet")
    _image(data=cache.image_packet(view.model, view.index), key="image_packet")


def provide_code() -> None:
    """Send the code that `filter_slider` and `filter_pair` need."""
    _network(data=_with_code(b""), key="network_packet")


@lru_cache(5)
def _with_code(network: bytes) -> bytes:
    """Both in one component, for each costs every move of the image as much as a widget does."""
    return len(_CODE).to_bytes(4, "little") + _CODE + network


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
        on_pick_change=_picker("sheet", *_sides(layer)),
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
        on_pick_change=_picker("filter_slider", count),
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


def _sides(layer: Layer) -> tuple[int, int, int]:
    """Filters, rows and columns; nothing can be pinned in a flat layer."""
    *place, count = layer.output_shape
    height, width = place or (0, 0)
    return count, height, width


def _picker(key: str, count: int, height: int = 0, width: int = 0) -> Callable[[], None]:
    def picked() -> None:
        # Nothing where the page was switched meanwhile. What comes from a browser may be anything.
        said = st.session_state.get(key)
        chosen = said.pick if said else None
        if not isinstance(chosen, dict):
            return
        index, row, col = chosen.get("filter"), chosen.get("row"), chosen.get("col")
        if not _is_index(index, count):
            return
        controls.keep_filter(index)
        if _is_index(row, height) and _is_index(col, width):
            controls.pin(row, col)
        elif "row" in chosen:
            controls.pin(None, None)

    return picked


def _is_index(value: object, size: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < size
