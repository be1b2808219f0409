"""A sheet of small images of which one can be clicked, a browser component."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import streamlit as st

from core.network import Field
from core.pictures.scales import PIXELS, AnyArray, Scale
from core.pictures.sheets import sheet_uri
from ui.components.data import as_json

COLUMNS = 16

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "contact_sheet",
    html='<div class="contact-sheet"></div>',
    css=(_HERE / "style.css").read_text(),
    js=(_HERE / "contact_sheet.js").read_text(),
)


def contact_sheet(
    images: AnyArray,
    numbers: Sequence[int],
    names: Sequence[str],
    chosen: int | None,
    key: str,
    *,
    on_pick: Callable[[int], None] | None = None,
    links: Sequence[str] | None = None,
    side: int = 56,
    captions: Sequence[str] | None = None,
    fields: Sequence[Field] | None = None,
    what: str = "image",
    scale: Scale | None = PIXELS,
    off: Collection[int] = (),
    sheet: str = "",
) -> None:
    """Show images (n, h, w); a click or Enter on one calls `on_pick` or follows its link.

    Args:
        images: what is shown, with their `numbers` and, in words, what each is (`names`).
        chosen: the number of the one to outline.
        key: the component's.
        on_pick: called with an image's number; a callback, so it runs before the page does.
        links: an address for each image, in place of `on_pick`.
        side: of an image, in CSS pixels.
        captions: what stands under each image, its number by default.
        fields: a rectangle of each image to outline, and to show enlarged below it.
        what: one of them is called.
        scale: the colours; None gives each image a scale of its own.
        off: the numbers of those to cross out.
        sheet: the images as one picture, `COLUMNS` in a row, where that was made before.
    """

    def picked() -> None:
        # What comes from a browser may be anything.
        number = st.session_state[key].picked
        if on_pick is not None and type(number) is int and number in numbers:
            on_pick(number)

    _component(
        data=as_json(
            sheet=sheet or sheet_uri(np.moveaxis(images, 0, 2), COLUMNS, scale),
            columns=COLUMNS,
            size=images.shape[1:],
            side=side,
            numbers=list(numbers),
            names=list(names),
            captions=[str(caption) for caption in captions or numbers],
            links=list(links or ()),
            fields=[asdict(field) for field in fields or ()],
            chosen=chosen,
            what=what,
            off=list(off),
        ),
        key=key,
        on_picked_change=picked,
    )
