"""The controls that pages share, one function each.

All of a view's state is declared here: a control's key is its URL parameter, so a copied link shows
the same view, and a value survives a page switch. A default stays out of the URL. Other code sets
these values with `choose` and `pin`, never through `st.query_params`.

A value of the URL that a control refuses is named in one line above the page (`refusals_shown`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypedDict
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core import cache, dataset
from core.dataset import CLASS_NAMES
from core.evidence import ablation
from core.evidence.ablation import Off
from core.network import Layer, Network
from ui import html

DEFAULT_MODEL = "tuned"
# The tutorial's worked example, a bag.
DEFAULT_IMAGE = 2000
TEST_IMAGES = 10_000
TRAIN_IMAGES = 60_000
LABELS = frozenset(str(label) for label in range(len(CLASS_NAMES)))
# The tutorial compares T-shirt/top with ankle boot, two images of each.
DEFAULT_PAIR = (0, 9)
DEFAULT_EXAMPLES = 2
MIN_EXAMPLES, MAX_EXAMPLES = 2, 5
MAX_PICK_CHARACTERS = 60
# The URL parameters of the pinned unit.
PIN = ("row", "col")
# These are bound to no widget of Streamlit's, so they are kept in the URL by `_keep` alone.
URL_ONLY = ("filter", *PIN, "off", "epoch", "class_a", "class_b")
MAX_QUOTED_CHARACTERS = 40
MAX_REFUSALS = 3
# The session's record of the URL parameters that controls have checked on the page in view.
_CHECKED = "checked_parameters"


class _Reading:
    """The values of the URL that a script run has read."""

    def __init__(self) -> None:
        self.checked: set[str] = st.session_state.setdefault(_CHECKED, set())
        self.refusals: list[str] = []


# Set while the frame draws a page, and not in a fragment's own run.
_reading: ContextVar[_Reading | None] = ContextVar("reading", default=None)


class _Bound(TypedDict):
    bind: Literal["query-params"]
    persist_state: Literal["session"]


_BOUND: _Bound = {"bind": "query-params", "persist_state": "session"}


def address(page: str, **values: Any) -> str:
    """The relative address of a page with these values; HTML has to escape it. The model and the
    image in view stay, where they are not among the values."""
    return next(addresses(page, [values]))


def addresses(page: str, choices: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The address of a page for each choice of values: state is read once for all of them."""
    keys = ("model", "image")
    kept: dict[str, Any] = {key: st.session_state[key] for key in keys if key in st.session_state}
    kept["image"] = int(kept.get("image", DEFAULT_IMAGE))
    for values in choices:
        # A control's parameter is what the control displays.
        named = {"layer": html.as_text(values["layer"])} if "layer" in values else {}
        yield f"{page}?{urlencode({**kept, **values, **named})}"


def choose(**values: Any) -> None:
    """Sets shared state by key, as a callback: `on_click=choose, kwargs={"image": 3}`."""
    for key, value in values.items():
        st.session_state[key] = value


@contextmanager
def refusals_shown() -> Iterator[None]:
    """Show in one line what the controls inside refuse of the URL.

    The line is the last element of the page, which style.css places first: a placeholder at the top
    would cost every run a message, and would move all other elements when it goes.
    """
    reading = _Reading()
    context = get_script_run_ctx()
    if context is not None and context.is_history_navigation:
        reading.checked.clear()
    token = _reading.set(reading)
    try:
        yield
    finally:
        _reading.reset(token)
        if reading.refusals:
            with st.container(key="refusals"):
                st.caption(html.as_text(_one_line(reading.refusals)))


def refuse(sentence: str) -> None:
    """State what is refused and what is shown instead, as plain text of one sentence."""
    reading = _reading.get()
    if reading is None:  # The fragment alone is drawn again, not the place above the page.
        st.caption(html.as_text(sentence))
    else:
        reading.refusals.append(sentence)


def quoted(text: str) -> str:
    """Return a visitor's text for a sentence: a whole number as it is, other text in quotation
    marks; printable and short in either case."""
    if re.fullmatch(r"-?[0-9]{1,12}", text):
        return text
    # Control characters may break the line or reverse its direction.
    start = text[:MAX_QUOTED_CHARACTERS]
    printable = "".join(sign if sign.isprintable() else "�" for sign in start)
    return f"“{printable}{'…' if start != text else ''}”"


def carry_over(page: str) -> None:
    """Keeps what is in the URL alone when the page is switched to `page`."""
    switched = st.session_state.get("shown_page", page) != page
    st.session_state["shown_page"] = page
    if not switched:
        return
    st.session_state.setdefault(_CHECKED, set()).clear()
    kept = {key: st.session_state.get(key) for key in URL_ONLY}
    st.query_params.update(
        {
            key: str(value)
            for key, value in kept.items()
            if value is not None and key not in st.query_params
        }
    )


def model_name(names: Sequence[str]) -> str:
    """Return the name of the chosen model folder; `DEFAULT_MODEL` by default, if it exists."""
    default = names.index(DEFAULT_MODEL) if DEFAULT_MODEL in names else 0
    wrong = _wrong_choice("model", names)
    name = st.selectbox("Model", names, index=default, key="model", **_BOUND)
    _refuse_choice("Model", wrong, name)
    return name


def image_index() -> int:
    """Return the index of the chosen test image, 0–9999; draw the controls that change it."""
    # A float input, though the index is whole: Streamlit 1.67 fails on ?image=inf in an integer
    # input, and gives the default for it in a float input.
    wrong = _wrong_number("image", 0, TEST_IMAGES - 1)
    index = st.number_input(
        "Test image",
        min_value=0.0,
        max_value=TEST_IMAGES - 1.0,
        value=float(DEFAULT_IMAGE),
        step=1.0,
        format="%.0f",
        key="image",
        help="0 to 9999. − and +, or the arrow keys ↓ and ↑, go to the previous and next image.",
        **_BOUND,
    )
    st.button("Random image", key="random", on_click=_random_image, width="stretch")
    st.menu_button(
        "Next of a class",
        range(len(CLASS_NAMES)),
        format_func=html.class_label,
        key="next_of_class",
        on_click=_next_of_class,
        width="stretch",
    )
    shown = f"image {int(index)}" + (", a bag" if index == DEFAULT_IMAGE else "")
    _refuse_number("Image", wrong, 0, TEST_IMAGES - 1, shown)
    return int(index)


def layer(network: Network) -> Layer:
    """Return the chosen layer; the model's first convolution by default."""
    layers = {layer.name: layer for layer in network.layers}
    first = next((layer for layer in layers.values() if layer.kind == "Conv2D"), None)
    default = first.name if first else next(iter(layers))
    # Streamlit compares the URL with what is displayed.
    wrong = _wrong_choice("layer", list(map(html.as_text, layers)))
    name = st.segmented_control(
        "Layer",
        list(layers),
        default=default,
        required=True,
        format_func=html.as_text,
        key="layer",
        label_visibility="collapsed",
        on_change=pin,
        args=(None, None),
        **_BOUND,
    )
    # ?layer= (empty) leaves the control without a choice, in spite of `required`.
    chosen = layers[name or default]
    if wrong is not None:
        refuse(f"This model has no layer {quoted(wrong)}: showing {chosen.name}.")
    return chosen


def chosen_filter(count: int) -> int:
    """Return the index of the chosen one of `count` filters, 0 if there is no such filter.

    It is in the URL alone, because the browser's components choose it.
    """

    def existing(text: str) -> int | None:
        # A flattened layer may have a hundred thousand units.
        number = _whole_number(text, digits=6)
        return number if number is not None and number < count else None

    wrong = _wrong_value("filter", lambda text: existing(text) is not None)
    index = existing(st.query_params.get("filter", "")) or 0
    _refuse_number("Filter", wrong, 0, count - 1, f"filter {index}")
    keep_filter(index)
    return index


def keep_filter(index: int) -> None:
    """Shows a filter; 0 stays out of the URL."""
    _keep(filter=index or None)


def pinned_unit(layer: Layer) -> tuple[int, int] | None:
    """Row and column of the unit that is pinned in a layer's maps, None without one.

    The microscope shows and moves the pin, and a widget costs each move as much as a picture does:
    so this state has none. It is in the URL alone, and the browser's Back brings an earlier pin.
    """
    new = [_wrong_value(key, lambda _: False) for key in PIN]  # Any value that is checked now.
    given = [st.query_params.get(key, "") for key in PIN]
    row, col = map(_whole_number, given)
    height, width = layer.output_shape[:2] if len(layer.output_shape) == 3 else (0, 0)
    if row is None or col is None or row >= height or col >= width:
        if all(given) and any(new):
            place = f"row {quoted(given[0])}, column {quoted(given[1])}"
            refuse(f"{layer.name} has no unit at {place}: no unit is pinned.")
        elif any(new):
            refuse("A pinned unit needs both a row and a column: no unit is pinned.")
        pin(None, None)
        return None
    choose(row=row, col=col)
    return row, col


def clicked(chart: str, selection: str) -> list[dict[str, Any]]:
    """The marks of a chart that were clicked just now, by the chart's key, for its callback."""
    # What comes from a browser may be anything.
    marks = st.session_state[chart].selection.get(selection)
    return [each for each in marks if isinstance(each, dict)] if isinstance(marks, list) else []


def pin(row: int | None, col: int | None) -> None:
    """Pins a unit of the map in view; None unpins."""
    both = row is not None and col is not None
    _keep(row=row if both else None, col=col if both else None)


def filters_off(network: Network) -> tuple[Off, list[str]]:
    """Return the filters that are off, and the words of the URL that are no filter of the network.

    They are in the URL alone, as the pinned unit is.
    """
    off, wrong = ablation.parse(st.query_params.get("off", ""), network)
    choose(off=ablation.spell(off) or None)
    return off, wrong


def refuse_filters(off: Off, wrong: Sequence[str]) -> None:
    """Name the first of the words that `filters_off` found to be none of the network's filters, and
    take them out of the URL."""
    if not wrong:
        return
    left_out = "It is" if len(wrong) == 1 else f"It and {len(wrong) - 1} more are"
    refuse(f"{quoted(wrong[0])} in the address is no filter of this model. {left_out} left out.")
    switch_off(off)


def switch_off(off: Off) -> None:
    """Switches these filters off, and all others on."""
    _keep(off=ablation.spell(off) or None)


def epoch(epochs: Sequence[int]) -> int:
    """Return the chosen one of the saved epochs, the last by default.

    It is in the URL alone, as the pinned unit is.
    """
    wrong = _wrong_value("epoch", lambda text: _whole_number(text) in epochs)
    asked = _whole_number(st.query_params.get("epoch", ""))
    chosen = asked if asked is not None and asked in epochs else epochs[-1]
    if wrong is not None:
        refuse(f"Epoch {quoted(wrong)} was not saved: showing epoch {chosen}.")
    keep_epoch(chosen, epochs)
    return chosen


def keep_epoch(epoch: int, epochs: Sequence[int]) -> None:
    """Shows an epoch; the last one stays out of the URL."""
    _keep(epoch=None if epoch == epochs[-1] else epoch)


def off_means_mean() -> bool:
    """Return whether a filter that is off gives its mean everywhere; by default it gives 0."""
    wrong = _wrong_choice("off_gives", ("0", "its mean"))
    choice = st.segmented_control(
        "A filter that is off gives",
        ["0", "its mean"],
        default="0",
        required=True,
        key="off_gives",
        **_BOUND,
    )
    if wrong is not None:
        refuse(f"A filter that is off cannot give {quoted(wrong)}: it gives {choice}.")
    return choice == "its mean"


def shared_scale() -> bool:
    """Return whether all maps share one colour scale; by default each map has its own."""
    names = {"map": "per map", "shared": "shared"}
    wrong = _wrong_choice("scale", (*names, *names.values()))
    choice = st.segmented_control(
        "Colour scale",
        list(names),
        default="map",
        required=True,
        # The URL has what is displayed, save for a default.
        format_func=names.__getitem__,
        key="scale",
        **_BOUND,
    )
    _refuse_choice("Colour scale", wrong, names[choice or "map"])
    return choice == "shared"


def panel(panels: Sequence[str], key: str = "panel") -> str:
    """Return the chosen part of a page, the only one drawn; the first by default.

    A key for each set of parts: the choice stays in the URL across pages.
    """
    wrong = _wrong_choice(key, panels)
    choice = st.segmented_control(
        "Panel",
        panels,
        default=panels[0],
        required=True,
        key=key,
        label_visibility="collapsed",
        **_BOUND,
    )
    _refuse_choice("Part of the page", wrong, choice or panels[0])
    return choice or panels[0]


def class_pair() -> tuple[int, int]:
    """The two classes that are compared, as labels 0–9."""
    first, second = DEFAULT_PAIR
    return _class("First class", "class_a", first), _class("Second class", "class_b", second)


def _class(title: str, key: str, default: int) -> int:
    # A bound selectbox would keep what it displays in the URL, "2 Pullover", and not take a link
    # that says just "2". So this one has a key of its own.
    box = f"{key}_box"
    wrong = _wrong_value(key, lambda text: text.split(" ")[0] in LABELS)
    asked, *_ = st.query_params.get(key, "").split(" ")
    label = int(asked) if asked in LABELS else default
    _refuse_number(title, wrong, 0, len(CLASS_NAMES) - 1, html.class_label(label))
    _keep(**{key: None if label == default else label})
    if st.session_state.get(box) != label:
        choose(**{box: label})

    def chosen() -> None:
        # What comes from a browser may be anything.
        if str(st.session_state[box]) in LABELS:
            _keep(**{key: st.session_state[box]})

    return st.selectbox(
        title, range(len(CLASS_NAMES)), format_func=html.class_label, key=box, on_change=chosen
    )


def confusion_cell() -> tuple[int, int]:
    """Return the true and the predicted class of the images to show, as labels 0–9."""
    return (
        _class_by_name("True class", "true", "Shirt"),
        _class_by_name("Predicted class", "predicted", "T-shirt/top"),
    )


def _class_by_name(title: str, key: str, default: str) -> int:
    wrong = _wrong_choice(key, CLASS_NAMES)
    name = st.selectbox(title, CLASS_NAMES, index=CLASS_NAMES.index(default), key=key, **_BOUND)
    _refuse_choice(title, wrong, name)
    return CLASS_NAMES.index(name)


def cells_as_shares() -> bool:
    """Return whether the confusion matrix shows shares of the true class; by default, counts."""
    wrong = _wrong_choice("cells", ("counts", "shares"))
    choice = st.segmented_control(
        "Cells", ["counts", "shares"], default="counts", required=True, key="cells", **_BOUND
    )
    _refuse_choice("Cells", wrong, choice)
    return choice == "shares"


def picked_images(key: str, label: int, labels: npt.NDArray[np.uint8]) -> list[int]:
    """Return the test images of a class that are named one by one; empty for the first ones of the
    class, also where a word is no image of it, which is refused for as long as it is there."""
    wrong = _wrong_value(key, lambda text: len(text) <= MAX_PICK_CHARACTERS)
    if wrong is not None:
        refuse(
            f"The list {quoted(wrong)} of images is too long: it is read up to character "
            f"{MAX_PICK_CHARACTERS}."
        )
    text = st.text_input(
        f"Test images of {CLASS_NAMES[label]}",
        key=key,
        placeholder="the first of the class",
        max_chars=MAX_PICK_CHARACTERS,
        help="Numbers of test images of this class, such as 19, 27.",
        **_BOUND,
    )
    picked = []
    for word in text.replace(",", " ").split():
        index = _whole_number(word)
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
    wrong = _wrong_number("examples", *limits)
    count = st.slider("Images of each", *limits, DEFAULT_EXAMPLES, key="examples", **_BOUND)
    if wrong is not None:
        first, last = limits
        refuse(f"Images of each class are {first} to {last}, not {quoted(wrong)}: showing {count}.")
    return count


def gallery_split() -> dataset.SplitName:
    """Return the name of the split in the gallery."""
    wrong = _wrong_choice("split", ("test", "train"))
    choice = st.segmented_control(
        "Split", ["test", "train"], default="test", required=True, key="split", **_BOUND
    )
    _refuse_choice("Split", wrong, choice)
    return "train" if choice == "train" else "test"


def gallery_class() -> int | None:
    """Return the label of the class in the gallery, None for all."""
    options = ["all", *CLASS_NAMES]
    wrong = _wrong_choice("class", options)
    choice = st.selectbox("Class", options, key="class", **_BOUND)
    _refuse_choice("Class", wrong, choice)
    return None if choice == "all" else CLASS_NAMES.index(choice)


def gallery_page(pages: int) -> int:
    """Return the open page of the gallery's contact sheet, from 1."""
    # A float for the reason given in image_index.
    wrong = _wrong_number("page", 1, pages)
    page = st.number_input(
        f"Page, of {pages}", 1.0, float(pages), 1.0, 1.0, format="%.0f", key="page", **_BOUND
    )
    _refuse_number("Page", wrong, 1, pages, f"page {int(page)}")
    return int(page)


def train_image() -> int:
    """Return the index of the training image that is open in the gallery."""
    wrong = _wrong_number("train_image", 0, TRAIN_IMAGES - 1)
    index = st.number_input(
        "Training image",
        0.0,
        TRAIN_IMAGES - 1.0,
        0.0,
        1.0,
        format="%.0f",
        key="train_image",
        **_BOUND,
    )
    shown = f"training image {int(index)}"
    _refuse_number("Training image", wrong, 0, TRAIN_IMAGES - 1, shown)
    return int(index)


def map_of_components() -> bool:
    """Return whether the map shows principal components; by default, it shows neighbours."""
    wrong = _wrong_choice("map", ("neighbours", "PCA"))
    choice = st.segmented_control(
        "Map", ["neighbours", "PCA"], default="neighbours", required=True, key="map", **_BOUND
    )
    _refuse_choice("Map", wrong, choice)
    return choice == "PCA"


def coloured_by_error() -> bool:
    """Return whether the map's colours show right and wrong; by default, the classes."""
    wrong = _wrong_choice("colour", ("class", "error"))
    choice = st.segmented_control(
        "Colour", ["class", "error"], default="class", required=True, key="colour", **_BOUND
    )
    _refuse_choice("Colour", wrong, choice)
    return choice == "error"


def _keep(**values: object) -> None:
    """Sets values that are in the URL alone; None takes one out."""
    choose(**values)  # for carry_over
    for key, value in values.items():
        if value is None:
            st.query_params.pop(key, None)
    there = {key: str(value) for key, value in values.items() if value is not None}
    if any(st.query_params.get(key) != value for key, value in there.items()):
        st.query_params.update(there)  # which the browser hears of


def _wrong_value(key: str, is_valid: Callable[[str], bool]) -> str | None:
    """Return a value of the URL that is not valid; None without one.

    Each parameter is checked where the page first reads it, and once more after Back and Forward. A
    value that was valid may become invalid when the visitor chooses another model or layer: that is
    no fault of the URL. An empty value asks for nothing.

    A bound widget drops what it refuses from the URL, so this comes before the widget.
    """
    reading = _reading.get() or _Reading()
    if key in reading.checked:
        return None
    reading.checked.add(key)
    return next(
        (value for value in st.query_params.get_all(key) if value and not is_valid(value)), None
    )


def _wrong_choice(key: str, choices: Collection[str]) -> str | None:
    """Return a value of the URL that is none of the choices, as `_wrong_value` does."""
    return _wrong_value(key, choices.__contains__)


def _wrong_number(key: str, low: int, high: int) -> str | None:
    """Return a value of the URL that is no whole number in the range, as `_wrong_value` does."""

    def is_valid(text: str) -> bool:
        try:  # Streamlit takes what Python does, and writes 42 as 42.0 itself.
            number = float(text)
        except ValueError:
            return False
        return low <= number <= high and number.is_integer()

    return _wrong_value(key, is_valid)


def _refuse_choice(what: str, wrong: str | None, shown: str | None) -> None:
    if wrong is not None:
        refuse(f"{what} {quoted(wrong)} does not exist: showing {shown}.")


def _refuse_number(what: str, wrong: str | None, low: int, high: int, shown: str) -> None:
    if wrong is not None:
        refuse(f"{what} {quoted(wrong)} does not exist ({low} to {high}): showing {shown}.")


def _one_line(sentences: Sequence[str]) -> str:
    """Join the first sentences, and count the others."""
    more = len(sentences) - MAX_REFUSALS
    rest = [f"{more} more {'value is' if more == 1 else 'values are'} not valid."]
    return " ".join([*sentences[:MAX_REFUSALS], *(rest if more > 0 else [])])


def _whole_number(text: str, digits: int = 4) -> int | None:
    """The number that a few digits are, None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def _random_image() -> None:
    choose(image=random.randrange(TEST_IMAGES))


def _next_of_class() -> None:
    label = st.session_state["next_of_class"]
    indices = cache.class_indices("test", label)
    current = int(st.session_state.get("image", DEFAULT_IMAGE))
    position = int(np.searchsorted(indices, current, side="right"))
    choose(image=int(indices[position % len(indices)]))
