"""A sheet of small images of which one can be clicked, a browser component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from core.images import PIXELS, sheet_uri

COLUMNS = 16

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "contact_sheet",
    html='<div class="contact-sheet"></div>',
    css=(_HERE / "contact_sheet.css").read_text(),
    js=(_HERE / "contact_sheet.js").read_text(),
)


def contact_sheet(
    images: npt.NDArray[np.uint8],
    numbers: Sequence[int],
    names: Sequence[str],
    chosen: int | None,
    on_pick: Callable[[int], None],
    key: str,
) -> None:
    """Shows images (n, 28, 28) with their numbers; a click or Enter on one calls `on_pick`.

    `names` says what each image is, `chosen` is the number of the one to outline.
    """

    def picked() -> None:
        # What comes from a browser may be anything.
        number = st.session_state[key].picked
        if number in numbers:
            on_pick(number)

    _component(
        data={
            "sheet": sheet_uri(np.moveaxis(images, 0, 2), COLUMNS, PIXELS),
            "columns": COLUMNS,
            "numbers": list(numbers),
            "names": list(names),
            "chosen": chosen,
        },
        key=key,
        on_picked_change=picked,
    )
