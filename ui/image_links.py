"""Sheets of test images that somebody may want to look into: each opens in the filter explorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import cache
from core.dataset import CLASS_NAMES
from core.pictures import sheets
from core.pictures.scales import PIXELS
from ui import markup, state
from ui.components.contact_sheet import COLUMNS, contact_sheet

MAX_IMAGES = 48


@dataclass(frozen=True)
class ImageSheet:
    """The first `MAX_IMAGES` of some test images.

    Attributes:
        count: How many there are in all.
        indices: The images that are shown, as indices into the test split.
        names: The class of each, and its caption.
        captions: A few words on each.
        picture: All that are shown in one picture, as the `src` of an image; "" without any.
    """

    count: int
    indices: list[int]
    names: list[str]
    captions: list[str]
    picture: str


def image_sheet(indices: npt.NDArray[np.intp], caption: Callable[[int], str]) -> ImageSheet:
    """Return the sheet of some test images.

    Args:
        indices: The images, in the order in which they are shown.
        caption: Return the words below the image with an index.
    """
    test, shown = cache.split("test"), indices[:MAX_IMAGES].tolist()
    captions = [caption(index) for index in shown]
    classes = [CLASS_NAMES[label] for label in test.labels[shown]]
    names = [f"{name}, {words}" for name, words in zip(classes, captions, strict=True)]
    pixels = np.moveaxis(test.images[shown], 0, 2)
    picture = sheets.sheet_uri(pixels, COLUMNS, PIXELS) if shown else ""
    return ImageSheet(len(indices), shown, names, captions, picture)


def show_image_links(key: str, title: str, sheet: ImageSheet, note: str) -> None:
    """Show a sheet between its title and a note, HTML; a click on an image opens the explorer."""
    heading = markup.title(title, f"{len(sheet.indices)} of {sheet.count} images")
    if not sheet.indices:
        markup.show(heading + markup.note("There is no such test image.") + note)
        return
    markup.show(heading)
    contact_sheet(
        cache.split("test").images[sheet.indices],
        sheet.indices,
        sheet.names,
        None,
        key=key,
        links=[state.address("filter_explorer", image=index) for index in sheet.indices],
        captions=sheet.captions,
        sheet=sheet.picture,
    )
    markup.show(note)
