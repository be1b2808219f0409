"""The controls that pages share, one function each: draw the control and return what it shows.

`ui/state.py` lists the parameters of the URL that they read.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import cache, dataset
from core.dataset import CLASS_NAMES
from core.evidence import ablation
from core.evidence.ablation import Off
from core.network import Layer, Network
from ui import markup
from ui.refusals import quoted, refuse
from ui.state import (
    DEFAULT_IMAGE,
    DEFAULT_MODEL,
    PARAMETERS,
    TEST_IMAGES,
    note_whole_number,
    read,
    read_number,
    set_parameters,
    show,
    whole_number,
)
from ui.widgets import (
    number_input,
    refuse_number,
    segments,
    selectbox,
    slider,
    take_choice,
)

TRAIN_IMAGES = 60_000
MIN_EXAMPLES, MAX_EXAMPLES = 2, 5
MAX_PICK_CHARACTERS = 60

# --- controls of the frame ------------------------------------------------------------------------


def model_name(names: Sequence[str]) -> str:
    """Return the name of the chosen model folder; `DEFAULT_MODEL` by default, if it exists."""
    default = DEFAULT_MODEL if DEFAULT_MODEL in names else names[0]
    return selectbox("model", "Model", names, default)


def image_index() -> int:
    """Return the index of the chosen test image, 0–9999; draw the controls that change it."""
    wrong = read_number("image", 0, TEST_IMAGES - 1).wrong
    help_text = "0 to 9999. − and +, or the arrow keys ↓ and ↑, go to the previous and next image."
    # Every page has this widget, so it may be bound: Streamlit replaces the entry of the history
    # itself. A float input, because Streamlit 1.67 fails on ?image=inf in an integer one.
    index = int(
        st.number_input(
            "Test image",
            min_value=0.0,
            max_value=TEST_IMAGES - 1.0,
            value=float(DEFAULT_IMAGE),
            step=1.0,
            format="%.0f",
            key="image",
            help=help_text,
            bind="query-params",
            persist_state="session",
        )
    )
    note_whole_number("image")
    st.button("Random image", key="random", on_click=_random_image, width="stretch")
    st.menu_button(
        "Next of a class",
        range(len(CLASS_NAMES)),
        format_func=markup.class_label,
        key="next_of_class",
        on_click=_next_of_class,
        args=(index,),
        width="stretch",
    )
    shown = f"image {index}" + (", a bag" if index == DEFAULT_IMAGE else "")
    refuse_number("Image", wrong, 0, TEST_IMAGES - 1, shown)
    return index


def _random_image() -> None:
    open_image(random.randrange(TEST_IMAGES))


def _next_of_class(current: int) -> None:
    label = st.session_state["next_of_class"]
    indices = cache.class_indices("test", label)
    position = int(np.searchsorted(indices, current, side="right"))
    open_image(int(indices[position % len(indices)]))


def open_image(index: int) -> None:
    """Open a test image on every page."""
    st.session_state["image"] = float(index)


# --- controls of several pages --------------------------------------------------------------------


def layer(network: Network) -> Layer:
    """Return the chosen layer; the model's first convolution by default."""
    layers = {layer.name: layer for layer in network.layers}
    first = next((layer for layer in layers.values() if layer.kind == "Conv2D"), None)
    default = first.name if first else next(iter(layers))
    text = read("layer", layers.__contains__, default)
    chosen = text.valid or default
    if text.wrong is not None:
        refuse(f"This model has no layer {quoted(text.wrong)}: showing {chosen}.")
    show("layer", chosen)
    st.segmented_control(
        "Layer",
        list(layers),
        required=True,
        format_func=markup.as_text,
        key="layer",
        label_visibility="collapsed",
        on_change=take_choice,
        args=("layer", layers, default),
        kwargs={"row": None, "col": None},
    )
    return layers[chosen]


def chosen_filter(count: int) -> int:
    """Return the index of the chosen one of `count` filters, 0 if there is no such filter."""

    def is_valid(text: str) -> bool:
        # A flattened layer may have a hundred thousand units.
        number = whole_number(text, digits=6)
        return number is not None and number < count

    text = read("filter", is_valid)
    index = int(text.valid or 0)
    refuse_number("Filter", text.wrong, 0, count - 1, f"filter {index}")
    return index


def pinned_unit(layer: Layer) -> tuple[int, int] | None:
    """Return row and column of the unit that is pinned in a layer's maps, None without one."""
    height, width = layer.output_shape[:2] if len(layer.output_shape) == 3 else (0, 0)
    texts = [st.query_params.get(key, "") for key in ("row", "col")]
    place = [
        number
        for text, size in zip(texts, (height, width), strict=True)
        if (number := whole_number(text)) is not None and number < size
    ]
    is_unit = len(place) == 2
    wrong = [read(key, lambda _: is_unit).wrong for key in ("row", "col")]
    if is_unit:
        return place[0], place[1]
    if all(texts) and any(wrong):
        given = f"row {quoted(texts[0])}, column {quoted(texts[1])}"
        refuse(f"{layer.name} has no unit at {given}: no unit is pinned.")
    elif any(wrong):
        refuse("A pinned unit needs both a row and a column: no unit is pinned.")
    return None


def epoch(epochs: Sequence[int]) -> int:
    """Return the chosen one of the saved epochs, the last by default."""
    text = read("epoch", lambda text: whole_number(text) in epochs, str(epochs[-1]))
    chosen = epochs[-1] if text.valid is None else int(text.valid)
    if text.wrong is not None:
        refuse(f"Epoch {quoted(text.wrong)} was not saved: showing epoch {chosen}.")
    return chosen


def panel(panels: Sequence[str], key: str = "panel") -> str:
    """Return the chosen part of a page, the only one drawn; the first by default."""
    refusal = "Part of the page {wrong} does not exist: showing {chosen}."
    return segments(key, "Panel", panels, refusal, is_label_visible=False)


def clicked(chart: str, selection: str) -> list[dict[str, Any]]:
    """Return the marks of a chart that were clicked just now, by its key, for its callback."""
    # What comes from a browser may be anything.
    marks = st.session_state[chart].selection.get(selection)
    return [mark for mark in marks if isinstance(mark, dict)] if isinstance(marks, list) else []


# --- controls of one page -------------------------------------------------------------------------


def shared_scale() -> bool:
    """Return whether all maps share one colour scale; by default each map has its own."""
    names = {"map": "per map", "shared": "shared"}
    return segments("scale", "Colour scale", names) == "shared"


def class_pair() -> tuple[int, int]:
    """Return the two classes that are compared, as labels 0–9."""
    return _class_label("class_a", "First class"), _class_label("class_b", "Second class")


def _class_label(key: str, title: str) -> int:
    labels = {markup.class_label(label): label for label in range(len(CLASS_NAMES))}
    # A link may have the label alone, as PARAMETERS says, or what the control displays.
    names = {str(label): name for name, label in labels.items()}
    text = read(key, lambda text: text in names or text in labels)
    chosen = names.get(text.valid or PARAMETERS[key].default, text.valid) or ""
    refuse_number(title, text.wrong, 0, len(CLASS_NAMES) - 1, chosen)
    show(key, chosen)
    st.selectbox(title, list(labels), key=key, on_change=_take_class, args=(key, labels))
    return labels[chosen]


def _take_class(key: str, labels: Mapping[str, int]) -> None:
    # What comes from a browser may be anything.
    label = labels.get(str(st.session_state[key]))
    if label is not None:
        set_parameters(**{key: label})


def picked_images(key: str, label: int, labels: npt.NDArray[np.uint8]) -> list[int]:
    """Return the test images of a class that are named one by one; empty for the first ones of the
    class, also where a word is no image of it, which is refused for as long as it is there."""
    text = read(key, lambda text: len(text) <= MAX_PICK_CHARACTERS)
    if text.wrong is not None:
        refuse(
            f"The list {quoted(text.wrong)} of images is too long: it is read up to character "
            f"{MAX_PICK_CHARACTERS}."
        )
    words = st.query_params.get(key, "")[:MAX_PICK_CHARACTERS]
    show(key, words)
    st.text_input(
        f"Test images of {CLASS_NAMES[label]}",
        key=key,
        placeholder="the first of the class",
        max_chars=MAX_PICK_CHARACTERS,
        help="Numbers of test images of this class, such as 19, 27.",
        on_change=lambda: set_parameters(**{key: st.session_state[key]}),
    )
    picked = []
    for word in words.replace(",", " ").split():
        index = whole_number(word)
        if index is None or labels[index] != label:
            refuse(
                f"{quoted(word)} is not the number of a test image of {CLASS_NAMES[label]}: "
                "showing the first of the class."
            )
            return []
        picked.append(index)
    return picked


def example_count() -> int:
    """Return the number of images of each class to compare."""
    limits = MIN_EXAMPLES, MAX_EXAMPLES
    wrong = read_number("examples", *limits).wrong
    count = slider("examples", "Images of each", *limits)
    if wrong is not None:
        first, last = limits
        refuse(f"Images of each class are {first} to {last}, not {quoted(wrong)}: showing {count}.")
    return count


def confusion_cell() -> tuple[int, int]:
    """Return the true and the predicted class of the images to show, as labels 0–9."""
    true = selectbox("true", "True class", CLASS_NAMES)
    predicted = selectbox("predicted", "Predicted class", CLASS_NAMES)
    return CLASS_NAMES.index(true), CLASS_NAMES.index(predicted)


def cells_as_shares() -> bool:
    """Return whether the confusion matrix shows shares of the true class; by default, counts."""
    return segments("cells", "Cells", ("counts", "shares")) == "shares"


def filters_off(network: Network) -> Off:
    """Return the filters that are off; words of the URL that are none of the network's filters are
    refused."""
    off, wrong = ablation.parse(st.query_params.get("off", ""), network)
    text = read("off", lambda _: not wrong, replacement=ablation.spell(off))
    if text.wrong is not None:
        left_out = "It is" if len(wrong) == 1 else f"It and {len(wrong) - 1} more are"
        refuse(
            f"{quoted(wrong[0])} in the address is no filter of this model. {left_out} left out."
        )
    return off


def off_means_mean() -> bool:
    """Return whether a filter that is off gives its mean everywhere; by default it gives 0."""
    refusal = "A filter that is off cannot give {wrong}: it gives {chosen}."
    title = "A filter that is off gives"
    return segments("off_gives", title, ("0", "its mean"), refusal) == "its mean"


def map_of_components() -> bool:
    """Return whether the map shows principal components; by default, it shows neighbours."""
    return segments("map", "Map", ("neighbours", "PCA")) == "PCA"


def coloured_by_error() -> bool:
    """Return whether the map's colours show right and wrong; by default, the classes."""
    return segments("colour", "Colour", ("class", "error")) == "error"


def gallery_split() -> dataset.SplitName:
    """Return the name of the split in the gallery."""
    return "train" if segments("split", "Split", ("test", "train")) == "train" else "test"


def gallery_class() -> int | None:
    """Return the label of the class in the gallery, None for all."""
    choice = selectbox("class", "Class", ["all", *CLASS_NAMES])
    return None if choice == "all" else CLASS_NAMES.index(choice)


def gallery_page(pages: int) -> int:
    """Return the open page of the gallery's contact sheet, from 1."""
    wrong = read_number("page", 1, pages).wrong
    page = number_input("page", f"Page, of {pages}", 1, pages)
    refuse_number("Page", wrong, 1, pages, f"page {page}")
    return page


def train_image() -> int:
    """Return the index of the training image that is open in the gallery."""
    wrong = read_number("train_image", 0, TRAIN_IMAGES - 1).wrong
    index = number_input("train_image", "Training image", 0, TRAIN_IMAGES - 1)
    shown = f"training image {index}"
    refuse_number("Training image", wrong, 0, TRAIN_IMAGES - 1, shown)
    return index
