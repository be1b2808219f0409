"""The state of a view: all of it is in the URL, so a copied link shows the same view.

`PARAMETERS` lists it. Readers do not write: a value that is not valid, or that is the default, is
noted (`UrlReading.superfluous`), and `ui/components/navigation.js` takes it out of the URL after
the run. `set_parameters` is the one way in which the server changes the URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


class Parameter(NamedTuple):
    """A parameter of the URL.

    `owner` changes it: "browser" is a component's JavaScript; "server" a widget's or a chart's
    callback, one step of the browser's history; "stepped" a number, where each step replaces the
    entry of the history. `default` stays out of the URL; "" where it depends
    on the model.
    """

    owner: Literal["browser", "server", "stepped"]
    type: str
    default: str
    page: str


PARAMETERS = {
    "model": Parameter("server", "name of a model folder", "tuned", "all"),
    "image": Parameter("stepped", "test image, 0 to 9999", "2000", "all"),
    "unknown": Parameter("server", "address that is no page", "", "home"),
    "layer": Parameter("server", "name of a layer", "", "explorer, class comparison"),
    "filter": Parameter("browser", "filter of the layer, from 0", "0", "explorer, comparison"),
    "row": Parameter("browser", "row of the pinned unit, from 0", "", "explorer"),
    "col": Parameter("browser", "column of the pinned unit, from 0", "", "explorer"),
    "scale": Parameter("server", "map or shared", "map", "explorer"),
    "panel": Parameter("server", "part of the page", "numbers", "explorer"),
    "epoch": Parameter("browser", "saved epoch", "", "explorer, model and training"),
    "compare": Parameter("server", "part of the page", "one filter", "class comparison"),
    "class_a": Parameter("server", "label, 0 to 9", "0", "class comparison"),
    "class_b": Parameter("server", "label, 0 to 9", "9", "class comparison"),
    "images_a": Parameter("server", "test images, 19, 27", "", "class comparison"),
    "images_b": Parameter("server", "test images, 19, 27", "", "class comparison"),
    "examples": Parameter("stepped", "images of each class, 2 to 5", "2", "class comparison"),
    "part": Parameter("server", "part of the page", "training", "model and training"),
    "true": Parameter("server", "name of a class", "Shirt", "model and training"),
    "predicted": Parameter("server", "name of a class", "T-shirt/top", "model and training"),
    "cells": Parameter("server", "counts or shares", "counts", "model and training"),
    "off": Parameter("server", "filters, conv_layer_1:3,17", "", "switch filters off"),
    "off_gives": Parameter("server", "0 or its mean", "0", "switch filters off"),
    "map": Parameter("server", "neighbours or PCA", "neighbours", "map of images"),
    "colour": Parameter("server", "class or error", "class", "map of images"),
    "split": Parameter("server", "test or train", "test", "dataset gallery"),
    "class": Parameter("server", "all, or the name of a class", "all", "dataset gallery"),
    "page": Parameter("stepped", "page of the contact sheet, from 1", "1", "dataset gallery"),
    "train_image": Parameter("stepped", "training image, from 0", "0", "dataset gallery"),
}
"""Who changes it, what it is, its default, and the pages that use it."""

TEST_IMAGES = 10_000
DEFAULT_MODEL = PARAMETERS["model"].default
DEFAULT_IMAGE = int(PARAMETERS["image"].default)  # the tutorial's worked example, a bag


@dataclass
class UrlReading:
    """Values of the URL that a script run has read.

    Attributes:
        checked: Parameters that controls have read on the page in view, kept in the session.
        is_new_page: Whether the browser shows another page than before, or came by its history.
        superfluous: Values of the URL that it does not need, because they are not valid or the
            default, by parameter: the value (None for whatever it is), and what to replace it by
            ("" takes it out).
        defaults: Defaults that depend on the model, by parameter.
    """

    checked: set[str] = field(
        default_factory=lambda: st.session_state.setdefault("checked_parameters", set())
    )
    is_new_page: bool = False
    superfluous: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)


class Text(NamedTuple):
    """A parameter as it is in the URL.

    Attributes:
        valid: Its value, None if it is missing or not valid.
        wrong: A value that is not valid, where the page reads it first.
    """

    valid: str | None
    wrong: str | None


# Set while the frame draws a page, and not in a fragment's own run.
_reading: ContextVar[UrlReading | None] = ContextVar("reading", default=None)


@contextmanager
def reading_url(page: str) -> Iterator[UrlReading]:
    """Note what is read of the URL inside; `page` is the address of the page in view."""
    reading = UrlReading()
    context = get_script_run_ctx()
    is_history = context is not None and context.is_history_navigation
    reading.is_new_page = is_history or st.session_state.get("shown_page") != page
    if reading.is_new_page:
        reading.checked.clear()
    st.session_state["shown_page"] = page
    token = _reading.set(reading)
    try:
        yield reading
    finally:
        _reading.reset(token)


def address(page: str, **values: object) -> str:
    """Return a link's address; HTML has to escape it.

    `ui/components/navigation.js` adds the other parameters of the view when it is clicked.

    Args:
        page: Name of the page; "" for the first.
        values: Parameters that the link changes; "" takes one out.
    """
    return f"{page or './'}?{urlencode(values)}"


def set_parameters(**values: object) -> None:
    """Change parameters of the URL, which is one step of the browser's history.

    Args:
        values: New values; None, and the default, take a parameter out.
    """
    texts = {key: "" if value is None else str(value) for key, value in values.items()}
    texts = {key: "" if text == PARAMETERS[key].default else text for key, text in texts.items()}
    changed = {key: text for key, text in texts.items() if st.query_params.get(key, "") != text}
    if list(changed.values()) == [""]:
        del st.query_params[next(iter(changed))]
    elif changed:
        # In one step: to take several out is a step each, so they stay empty until the browser
        # takes them out, as it does with all that is superfluous.
        st.query_params.update(changed)


def read(
    key: str, is_valid: Callable[[str], bool], default: str | None = None, replacement: str = ""
) -> Text:
    """Return a parameter of the URL.

    A value that was valid may become invalid when the visitor chooses another model or layer: that
    is no fault of the URL. So a wrong value is returned where the page first reads the parameter,
    and once more after Back and Forward. An empty value asks for nothing.

    Args:
        key: Its name.
        is_valid: Return whether a value is valid.
        default: Its default, where that depends on the model.
        replacement: What replaces a value that is not valid in the URL; "" takes it out.
    """
    reading = _reading.get() or UrlReading()
    given = st.query_params.get_all(key)
    text = given[-1] if given else ""
    wrong = next((value for value in given if value and not is_valid(value)), None)
    is_first = key not in reading.checked
    reading.checked.add(key)
    if default is not None and default != PARAMETERS[key].default:
        reading.defaults[key] = default
    if given and (not is_valid(text) or text in ("", default, PARAMETERS[key].default)):
        reading.superfluous[key] = (text, replacement)
    return Text(text if text and is_valid(text) else None, wrong if is_first else None)


def read_number(key: str, low: int, high: int) -> Text:
    """Return a parameter that is a whole number in a range."""

    def is_valid(text: str) -> bool:
        try:  # Streamlit takes what Python does, and writes 42 as 42.0 itself.
            number = float(text)
        except ValueError:
            return False
        return low <= number <= high and number.is_integer()

    return read(key, is_valid)


def image_index() -> int:
    """Return the test image that the URL names, for a page without a control for it."""
    valid = read_number("image", 0, TEST_IMAGES - 1).valid
    return int(float(valid)) if valid else DEFAULT_IMAGE


def note_whole_number(key: str) -> None:
    """Note that a whole number is to be 7 in the URL, where Streamlit writes 7.0."""
    reading, text = _reading.get(), st.query_params.get(key, "")
    if reading and text.endswith(".0"):
        reading.superfluous[key] = (text, text.removesuffix(".0"))


def note_step(key: str, number: int) -> None:
    """Note the new number of a stepped parameter.

    It counts until the URL has it: `navigation.js` replaces the entry of the history, which
    `st.query_params` cannot do.
    """
    st.session_state[f"{key}_step"] = (st.query_params.get(key, ""), number)


def stepped_number(key: str, low: int, high: int) -> int:
    """Return a stepped parameter, a whole number in a range."""
    text, reading = read_number(key, low, high).valid, _reading.get()
    number = int(float(text or PARAMETERS[key].default))
    step = st.session_state.get(f"{key}_step")
    if step is None:
        return number
    url_text, new = step
    is_seen = url_text != st.query_params.get(key, "")
    if is_seen or (reading and reading.is_new_page) or not low <= new <= high:
        del st.session_state[f"{key}_step"]
        return number
    if reading:
        default = PARAMETERS[key].default
        reading.superfluous[key] = (None, "" if str(new) == default else str(new))
    return int(new)


def show(key: str, value: str | int) -> None:
    """Let the widget that is drawn next show what the URL says.

    On a new page it is a new widget, and the session still has the value of the one before.
    """
    reading = _reading.get()
    if (reading and reading.is_new_page) or st.session_state.get(key) != value:
        st.session_state[key] = value


def whole_number(text: str, digits: int = 4) -> int | None:
    """Return the number that a few digits are, None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
