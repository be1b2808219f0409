"""The feature sheet and the microscope: browser components that answer without the server.

The browser gets two packets: the code with a network and its weights, and an image's outputs. What
a component itself sends is then a few bytes, and a pointer that moves sends nothing.

The code is plain JavaScript modules, in the files beside this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from core import cache
from core.network import Layer
from ui import controls
from ui.frame import View
from ui.serving import as_json

_HERE = Path(__file__).parent
# Each after those that it imports.
_MODULES = (
    "arithmetic.js",
    "picture.js",
    "view.js",
    "bars.js",
    "player.js",
    "softmax_table.js",
    "sheet.js",
    "microscope.js",
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


def provide(view: View, layer: Layer) -> None:
    """What the components for a layer need; Streamlit sends what is large only where the browser
    has not kept it."""
    network = cache.network_packet(view.model, _is_flat(layer))
    _network(data=_with_code(network), key="network_packet")
    _image(data=cache.image_packet(view.model, view.index), key="image_packet")


@lru_cache(4)
def _with_code(network: bytes) -> bytes:
    """Both in one component, for each costs every move of the image as much as a widget does."""
    return len(_CODE).to_bytes(4, "little") + _CODE + network


def _is_flat(layer: Layer) -> bool:
    return len(layer.output_shape) == 1


def feature_sheet(
    view: View, layer: Layer, index: int, pinned: tuple[int, int] | None, shared: bool
) -> None:
    """All maps of a layer, map `index` outlined; a click or Enter chooses one.

    `pinned` is the row and column of the unit that the microscope shows while the pointer is
    elsewhere.
    """
    _sheet(
        data=as_json(
            model=cache.network_key(view.model, _is_flat(layer)),
            image=cache.image_key(view.model, view.index),
            layer=layer.name,
            filter=index,
            pinned=pinned and {"row": pinned[0], "col": pinned[1]},
            shared=shared,
        ),
        key="sheet",
        on_pick_change=_picker("sheet", layer),
    )


def microscope(layer: Layer) -> None:
    """How the unit under the pointer came about; for the layer that the sheet shows."""
    _microscope(key="microscope", on_pick_change=_picker("microscope", layer))


def _picker(key: str, layer: Layer) -> Callable[[], None]:
    *place, count = layer.output_shape
    height, width = place or (0, 0)  # nothing is pinned in a flat layer

    def picked() -> None:
        # What comes from a browser may be anything.
        unit = st.session_state[key].pick
        if not isinstance(unit, dict):
            return
        index, row, col = unit.get("filter"), unit.get("row"), unit.get("col")
        if _is_index(index, count):
            controls.choose(filter=index)
        if _is_index(row, height) and _is_index(col, width):
            controls.pin(row, col)
        elif "row" in unit:
            controls.pin(None, None)

    return picked


def _is_index(value: object, size: int) -> bool:
    return type(value) is int and 0 <= value < size
