"""The feature sheet and the microscope: browser components that answer without the server.

The browser gets three packets: the code, once per session; a network with its weights, once per
session and model; and an image's outputs with each image. What a component itself sends is then a
few bytes, and a pointer that moves sends nothing.

The code is plain JavaScript modules, in the files beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from core import cache
from core.network import Layer
from ui import controls
from ui.frame import View

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
_CODE = {
    "modules": {name: (_HERE / name).read_text() for name in _MODULES},
    "style": (_HERE / "style.css").read_text(),
}
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


_starter = st.components.v2.component("starter", js=(_HERE / "starter.js").read_text())
_network = _component("network", "receive")
_image = _component("image", "receive")
_sheet = _component("feature_sheet", "sheet")
_microscope = _component("microscope", "microscope")


def provide(view: View) -> None:
    """Sends the browser what the components of this page show, as far as it has not got it."""
    _provide_once(view)
    _image(data=cache.image_packet(view.model, view.index), key="image_packet")


@st.fragment
def _provide_once(view: View) -> None:
    # A component's code and data go with every run that shows it: so it is shown until the browser
    # says that it has them, and never again in this session.
    held: set[str] = st.session_state.setdefault("browser_holds", set())
    if "code" not in held:
        _starter(data=_CODE, key="starter", on_held_change=lambda: held.add("code"))
    model = view.model.key
    if model not in held:
        _network(
            data=cache.network_packet(view.model),
            key=f"network_packet_{model}",
            on_held_change=lambda: held.add(model),
        )


def feature_sheet(
    view: View, layer: Layer, index: int, pinned: tuple[int, int] | None, shared: bool
) -> None:
    """All maps of a layer, map `index` outlined; a click or Enter chooses one.

    `pinned` is the row and column of the unit that the microscope shows while the pointer is
    elsewhere.
    """
    _sheet(
        data={
            "model": view.model.key,
            "image": cache.image_key(view.model, view.index),
            "layer": layer.name,
            "filter": index,
            "pinned": pinned and {"row": pinned[0], "col": pinned[1]},
            "shared": shared,
        },
        key="sheet",
        on_pick_change=_picker("sheet", layer),
    )


def microscope(layer: Layer) -> None:
    """How the unit under the pointer came about; for the layer that the sheet shows."""
    _microscope(key="microscope", on_pick_change=_picker("microscope", layer))


def _picker(key: str, layer: Layer) -> Callable[[], None]:
    height, width = layer.output_shape[:2] if len(layer.output_shape) == 3 else (1, 1)
    sizes = {"filter": layer.output_shape[-1], "row": height, "col": width}

    def picked() -> None:
        # What comes from a browser may be anything.
        unit = st.session_state[key].pick
        if not isinstance(unit, dict):
            return
        for name, size in sizes.items():
            value = unit.get(name, -1)
            if value is None and name != "filter":
                controls.choose(**{name: None})
            elif isinstance(value, int) and 0 <= value < size:
                controls.choose(**{name: value})

    return picked
