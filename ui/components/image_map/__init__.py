"""All test images as points on a map, a browser component.

The browser gets the code and the points once a map; then each picked image costs a message of a few
bytes, for it goes to a second component that shows nothing: what one component gets travels as a
whole, and only a message that is the same as before stays out of the way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from ui.components.data import as_json
from ui.components.modules import JavaScriptModules

_HERE = Path(__file__).parent
_MODULES = JavaScriptModules(
    "imageMap",
    _HERE,
    (
        "../elements.js",
        "packet.js",
        "viewport.js",
        "points.js",
        "thumbnails.js",
        "legend.js",
        "overlays.js",
        "pointer.js",
        "keyboard.js",
        "image_map.js",
        "main.js",
    ),
)
_map = st.components.v2.component(
    "image_map",
    html='<div class="image-map"></div>',
    css=(_HERE / "style.css").read_text(),
    js=_MODULES.carry_and_call("show"),
)
_look = st.components.v2.component("image_map_look", js=_MODULES.call("look"))


def image_map(
    packet: bytes, count: int, chosen: int, by_error: bool, on_pick: Callable[[int], None]
) -> None:
    """Shows a map; a click or Enter on a point calls `on_pick` with the image's number.

    Args:
        packet: the map, of `cache.map_packet`.
        count: of images on it.
        chosen: the image to ring.
        by_error: colours tell right from wrong, not the classes.
        on_pick: a callback, so it runs before the page does.
    """

    def picked() -> None:
        # What comes from a browser may be anything.
        image = st.session_state["image_map"].picked
        if type(image) is int and 0 <= image < count:
            on_pick(image)

    # Without a gap for what shows nothing.
    with st.container(gap=None):
        _look(data=as_json(chosen=chosen, byError=by_error), key="image_map_look")
        _map(data=packet, key="image_map", on_picked_change=picked)
