"""The controls that pages share, one function each.

All of a view's state is declared here: a control's key is its URL parameter, so a copied link shows
the same view, and a value survives a page switch. A default stays out of the URL. Other code sets
these values with `choose` and `pin`, never through `st.query_params`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import ablation, cache, dataset
from core.ablation import Off
from core.dataset import CLASS_NAMES
from core.images import class_label
from core.network import Layer, Network
from ui import figures

DEFAULT_MODEL = "tuned"
# The tutorial's worked example, a bag.
DEFAULT_IMAGE = 2000
TEST_IMAGES = 10_000
TRAIN_IMAGES = 60_000
LABELS = frozenset(str(label) for label in range(len(CLASS_NAMES)))
# The tutorial compares T-shirt/top with ankle boot, two images of each.
DEFAULT_PAIR = (0, 9)
DEFAULT_EXAMPLES = 2
# The URL parameters of the pinned unit.
PIN = ("row", "col")
# These are bound to no widget of Streamlit's, so they are kept in the URL by `_keep` alone.
URL_ONLY = ("filter", *PIN, "off", "epoch", "class_a", "class_b")


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
        named = {"layer": figures.as_text(values["layer"])} if "layer" in values else {}
        yield f"{page}?{urlencode({**kept, **values, **named})}"


def choose(**values: Any) -> None:
    """Sets shared state by key, as a callback: `on_click=choose, kwargs={"image": 3}`."""
    for key, value in values.items():
        st.session_state[key] = value


def carry_over(page: str) -> None:
    """Keeps what is in the URL alone when the page is switched to `page`."""
    switched = st.session_state.get("shown_page", page) != page
    st.session_state["shown_page"] = page
    if not switched:
        return
    kept = {key: st.session_state.get(key) for key in URL_ONLY}
    st.query_params.update(
        {
            key: str(value)
            for key, value in kept.items()
            if value is not None and key not in st.query_params
        }
    )


def model_name(names: Sequence[str]) -> str:
    """Which of the model folders the app shows; `DEFAULT_MODEL` first, where it is there."""
    default = names.index(DEFAULT_MODEL) if DEFAULT_MODEL in names else 0
    return st.selectbox("Model", names, index=default, key="model", **_BOUND)


def image_index() -> int:
    """Which test image the app shows, 0–9999, with the ways to another one."""
    # A float input, though the index is whole: Streamlit 1.67 fails on ?image=inf in an integer
    # input, and gives the default for it in a float input.
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
        format_func=class_label,
        key="next_of_class",
        on_click=_next_of_class,
        width="stretch",
    )
    return int(index)


def layer(network: Network) -> Layer:
    """Which layer a figure shows; the model's first convolution by default."""
    layers = {layer.name: layer for layer in network.layers}
    first = next((layer for layer in layers.values() if layer.kind == "Conv2D"), None)
    default = first.name if first else next(iter(layers))
    name = st.segmented_control(
        "Layer",
        list(layers),
        default=default,
        required=True,
        format_func=figures.as_text,
        key="layer",
        label_visibility="collapsed",
        on_change=pin,
        args=(None, None),
        **_BOUND,
    )
    # ?layer= (empty) leaves the control without a choice, in spite of `required`.
    return layers[name or default]


def chosen_filter(count: int) -> int:
    """Which of `count` filters figures show, 0 where there is no such filter; in the URL alone, for
    the browser's components choose it."""
    # A flattened layer may have a hundred thousand units.
    asked = _whole_number(st.query_params.get("filter", ""), digits=6)
    index = asked if asked is not None and asked < count else 0
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
    row, col = (_whole_number(st.query_params.get(key, "")) for key in PIN)
    height, width = layer.output_shape[:2] if len(layer.output_shape) == 3 else (0, 0)
    if row is None or col is None or row >= height or col >= width:
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
    """Which filters are switched off, and what of the address is none of the network's filters; in
    the URL alone, as the pinned unit is."""
    off, wrong = ablation.parse(st.query_params.get("off", ""), network)
    choose(off=ablation.spell(off) or None)
    return off, wrong


def switch_off(off: Off) -> None:
    """Switches these filters off, and all others on."""
    _keep(off=ablation.spell(off) or None)


def epoch(epochs: Sequence[int]) -> int:
    """Which of the saved epochs is shown, the last by default; in the URL alone, as the pinned unit
    is."""
    asked = _whole_number(st.query_params.get("epoch", ""))
    chosen = asked if asked is not None and asked in epochs else epochs[-1]
    keep_epoch(chosen, epochs)
    return chosen


def keep_epoch(epoch: int, epochs: Sequence[int]) -> None:
    """Shows an epoch; the last one stays out of the URL."""
    _keep(epoch=None if epoch == epochs[-1] else epoch)


def off_means_mean() -> bool:
    """Whether a filter that is off gives its mean everywhere; by default it gives 0."""
    choice = st.segmented_control(
        "A filter that is off gives",
        ["0", "its mean"],
        default="0",
        required=True,
        key="off_gives",
        **_BOUND,
    )
    return choice == "its mean"


def shared_scale() -> bool:
    """Whether all maps of a figure share one colour scale; by default each map has its own."""
    choice = st.segmented_control(
        "Colour scale",
        ["map", "shared"],
        default="map",
        required=True,
        # The URL has what is displayed, save for a default.
        format_func={"map": "per map", "shared": "shared"}.__getitem__,
        key="scale",
        **_BOUND,
    )
    return choice == "shared"


def panel(panels: Sequence[str], key: str = "panel") -> str:
    """Which of several parts a page shows, drawn alone; the first by default.

    A key for each set of parts: the choice stays in the URL across pages.
    """
    choice = st.segmented_control(
        "Panel",
        panels,
        default=panels[0],
        required=True,
        key=key,
        label_visibility="collapsed",
        **_BOUND,
    )
    return choice or panels[0]


def class_pair() -> tuple[int, int]:
    """The two classes that are compared, as labels 0–9."""
    first, second = DEFAULT_PAIR
    return _class("First class", "class_a", first), _class("Second class", "class_b", second)


def _class(title: str, key: str, default: int) -> int:
    # A bound selectbox would keep what it displays in the URL, "2 Pullover", and not take a link
    # that says just "2". So this one has a key of its own.
    box = f"{key}_box"
    asked, *_ = st.query_params.get(key, "").split(" ")
    label = int(asked) if asked in LABELS else default
    _keep(**{key: None if label == default else label})
    if st.session_state.get(box) != label:
        choose(**{box: label})

    def chosen() -> None:
        # What comes from a browser may be anything.
        if str(st.session_state[box]) in LABELS:
            _keep(**{key: st.session_state[box]})

    return st.selectbox(
        title, range(len(CLASS_NAMES)), format_func=class_label, key=box, on_change=chosen
    )


def confusion_cell() -> tuple[int, int]:
    """Whose images are shown: the true class and the predicted one, as labels 0–9."""
    true, predicted = (
        CLASS_NAMES.index(
            st.selectbox(title, CLASS_NAMES, index=CLASS_NAMES.index(default), key=key, **_BOUND)
        )
        for title, key, default in (
            ("True class", "true", "Shirt"),
            ("Predicted class", "predicted", "T-shirt/top"),
        )
    )
    return true, predicted


def cells_as_shares() -> bool:
    """Whether the confusion matrix shows shares of the true class; by default, counts."""
    choice = st.segmented_control(
        "Cells", ["counts", "shares"], default="counts", required=True, key="cells", **_BOUND
    )
    return choice == "shares"


def picked_images(key: str, label: int, labels: npt.NDArray[np.uint8]) -> list[int]:
    """Test images of a class, named one by one; empty for the first ones of the class."""
    text = st.text_input(
        f"Test images of {CLASS_NAMES[label]}",
        key=key,
        placeholder="the first of the class",
        max_chars=60,
        help="Numbers of test images of this class, such as 19, 27.",
        **_BOUND,
    )
    picked = []
    for word in text.replace(",", " ").split():
        index = _whole_number(word)
        if index is None or labels[index] != label:
            st.caption(
                f"“{figures.as_text(word)}” is not the number of a test image of "
                f"{CLASS_NAMES[label]}."
            )
            return []
        picked.append(index)
    return picked


def example_count() -> int:
    """How many images of each class are compared."""
    return st.slider("Images of each", 2, 5, DEFAULT_EXAMPLES, key="examples", **_BOUND)


def gallery_split() -> dataset.SplitName:
    """Which split the gallery shows."""
    choice = st.segmented_control(
        "Split", ["test", "train"], default="test", required=True, key="split", **_BOUND
    )
    return "train" if choice == "train" else "test"


def gallery_class() -> int | None:
    """Which class the gallery shows, None for all."""
    options = ["all", *CLASS_NAMES]
    choice = st.selectbox("Class", options, key="class", **_BOUND)
    return None if choice == "all" else CLASS_NAMES.index(choice)


def gallery_page(pages: int) -> int:
    """Which page of the gallery's contact sheet is open, from 1."""
    # A float for the reason given in image_index.
    page = st.number_input(
        f"Page, of {pages}", 1.0, float(pages), 1.0, 1.0, format="%.0f", key="page", **_BOUND
    )
    return int(page)


def train_image() -> int:
    """Which training image is open in the gallery."""
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
    return int(index)


def map_of_components() -> bool:
    """Whether the map of images is that of the principal components; by default, of neighbours."""
    choice = st.segmented_control(
        "Map", ["neighbours", "PCA"], default="neighbours", required=True, key="map", **_BOUND
    )
    return choice == "PCA"


def coloured_by_error() -> bool:
    """Whether the map's colours tell right from wrong; by default, the classes."""
    choice = st.segmented_control(
        "Colour", ["class", "error"], default="class", required=True, key="colour", **_BOUND
    )
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
