"""Whatever an address and a browser say, each page stays sound, and so does the session's state.

`HYPOTHESIS_PROFILE=deep pytest -n 0 tests/faults/test_hostile.py` draws 5,600 cases, 800 a page.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest

from core import cache
from core.cache import Version
from core.dataset import CLASS_NAMES
from core.evidence import ablation
from core.network import Network
from server import jobs
from tests.pages.conftest import COMPARED, PAGES, PARTS, Open, assert_sound, go_to, html, text
from ui.markup import class_label

MARK = "<b id=hostile>"
# What each page shows, whatever else is in view.
CONTENT = {
    "home": "What the network sees",
    "dataset_gallery": "The average image of each class",
    "model_training": "As in the tutorial: the model that its recipe trains",
    "filter_explorer": "As in the tutorial, the bag",
    "class_comparison": "As in the tutorial: classes 0 and 9",
    "ablation": "with all filters on",
    "embedding": "Nearest to test image",
}
LAYERS = (
    *("conv_layer_1", "pool_layer_2", "conv_layer_3", "pool_layer_4"),
    *("flatten_layer_5", "dense_layer_6", "dense_layer_7"),
)

# What an address may say. Each kind of value comes with neighbours that are just wrong.
NEARLY_NUMBERS = ("nan", "-inf", "1e999", "0x10", "1_000", "+5", "٣", "²", "½", "null", "None")
NEARLY_CODE = (MARK, "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "[]")
ODD_TEXTS = ("", " ", "\x00", "\n", "%00", "%3Cscript%3E", "..%2f..%2f", "🙂", "a" * 5000)
JUNK = st.one_of(
    st.sampled_from((*NEARLY_NUMBERS, *NEARLY_CODE, *ODD_TEXTS)),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.integers(-(10**40), 10**40).map(str),
    st.floats().map(str),
)


def number(low: int, high: int) -> st.SearchStrategy[str]:
    """A number in a range, just outside of it, or written as only a program would."""
    inside = st.integers(low, high)
    edges = st.sampled_from((low - 1, low, high, high + 1))
    spelt = inside.flatmap(lambda n: st.sampled_from((f"{n}.0", f"{n}.5", f"0{n}", f"-{n}")))
    return st.one_of(inside.map(str), edges.map(str), spelt)


def nearly(*choices: str) -> st.SearchStrategy[str]:
    """One of some words, or nearly."""
    word = st.sampled_from(choices)
    return word | word.flatmap(lambda one: st.sampled_from((one.upper(), f" {one}", one[:-1])))


CLASS_WORDS = [f"{label} {name}" for label, name in enumerate(CLASS_NAMES)]
CLASS = st.one_of(number(0, 9), nearly(*CLASS_WORDS))
PICKED = st.lists(number(0, 9999) | st.just(MARK), max_size=4).map(", ".join)
# Of the first convolution seldom: its forward pass takes twenty times as long.
OFF_PART = st.tuples(
    st.sampled_from((*("conv_layer_3",) * 8, "conv_layer_1", "pool_layer_2", "", MARK)),
    st.lists(number(0, 63) | JUNK, min_size=1, max_size=5),
).map(lambda part: f"{part[0]}:{','.join(part[1])}")

PARAMETERS: dict[str, st.SearchStrategy[str]] = {
    "model": nearly("tutorial", "tuned"),
    "image": number(0, 9999),
    "layer": nearly(*LAYERS),
    # As many as a flat layer has, which the explorer shows, too.
    "filter": number(0, 63) | number(0, 1599),
    "scale": nearly("per map", "map", "shared"),
    "panel": nearly("numbers", "top images", "epochs"),
    "part": nearly(*PARTS),
    "row": number(0, 25),
    "col": number(0, 25),
    "class_a": CLASS,
    "class_b": CLASS,
    "compare": nearly(*COMPARED),
    "examples": number(2, 5),
    "images_a": PICKED,
    "images_b": PICKED,
    "split": nearly("test", "train"),
    "class": nearly("all", *CLASS_NAMES),
    "page": number(1, 134),
    "train_image": number(0, 59_999),
    "true": nearly(*CLASS_NAMES),
    "predicted": nearly(*CLASS_NAMES),
    "cells": nearly("counts", "shares"),
    "off": st.lists(OFF_PART, max_size=3).map(";".join),
    "off_gives": nearly("0", "its mean"),
    "epoch": number(0, 24),
    "map": nearly("neighbours", "PCA"),
    "colour": nearly("class", "error"),
}


@st.composite
def addresses(draw: st.DrawFn) -> dict[str, list[str]]:
    """Some parameters, each once or repeated, most of them nearly right."""
    names = draw(st.lists(st.sampled_from([*PARAMETERS, "unknown"]), max_size=8, unique=True))
    values = {name: PARAMETERS.get(name, JUNK) for name in names}
    return {
        name: draw(st.lists(good | good | JUNK, min_size=1, max_size=2))
        for name, good in values.items()
    }


# What a browser may say of a component or a chart: nothing ties it to what the page sent.
SMALL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70),
    st.integers(),
    st.floats(),
    st.sampled_from((MARK, "3", *CLASS_NAMES)),
)
NAMES = st.sampled_from(("filter", "row", "col", "true", "predicted", "picked", "cell"))
JSON = st.recursive(
    SMALL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=6,
)


@dataclass(frozen=True)
class Move:
    """What a visitor, or a hand-written client, does next.

    It is drawn before the page is there: `place` is a widget's, modulo how many there are, `share`
    how far its value is from the first that it offers to the last.
    """

    kind: str
    page: str
    place: int
    share: float
    text: str
    said: Any

    def make(self, app: AppTest) -> AppTest:
        """The app after it."""
        match self.kind:
            case "switch":
                return go_to(app, self.page)
            case "widget":
                return set_widget(app, self.place, self.share, self.text)
            case "again":
                return app.run()
            case _:
                return say(app, self.kind, self.place, self.said)


MOVES = st.builds(
    Move,
    st.sampled_from(("widget", "widget", "switch", "bidi_component", "vega_lite_chart", "again")),
    st.sampled_from(PAGES),
    st.integers(0, 30),
    st.floats(0, 1),
    JUNK,
    JSON,
)


def set_widget(app: AppTest, place: int, share: float, text: str) -> AppTest:
    """Sets one widget of the page to a value that it offers, or to a text of one's own."""
    kinds = ("selectbox", "number_input", "slider", "button_group", "text_input", "button")
    widgets = [widget for kind in (*kinds, "menu_button") for widget in app.get(kind)]
    widget: Any = widgets[place % len(widgets)]
    match widget.type:
        case "selectbox":
            widget.select_index(int(share * (len(widget.options) - 1)))
        case "number_input":
            widget.set_value(widget.min + share * (widget.max - widget.min))
        case "slider":
            widget.set_value(int(widget.min + share * (widget.max - widget.min)))
        case "button_group":
            option = widget.options[int(share * (len(widget.options) - 1))]
            widget.set_value(None if share == 0 else {"per map": "map"}.get(option, option))
        case "text_input":
            widget.set_value(text)
        case "menu_button":
            widget.click_index(int(share * (len(widget.options) - 1)))
        case _:
            widget.click()
    return app.run()


def say(app: AppTest, kind: str, place: int, value: Any) -> AppTest:
    """Says of a component that a visitor picked `value`, of a chart that it is the selection."""
    able = [element.proto for element in app.get(kind) if element.proto.id]
    if not able:
        return app.run()
    states, proto = app._tree.get_widget_states(), able[place % len(able)]
    if kind == "bidi_component":
        said = [{"event": event, "value": value} for event in ("picked", "pick")]
        ident = _make_trigger_id(proto.id, "events")
        states.widgets.add(id=ident, json_trigger_value=json.dumps(said))
    else:
        said_of_all = dict.fromkeys(proto.selection_mode, value)
        states.widgets.add(id=proto.id, string_value=json.dumps({"selection": said_of_all}))
    return app._run(states)


# What the session's state may hold after any of this.
def _is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_number(value: Any, low: int, high: int) -> bool:
    return type(value) is float and low <= value <= high


def _are_filters(value: Any, network: Network) -> bool:
    off, wrong = ablation.parse(value, network)
    return not wrong and ablation.spell(off) == value


Valid = Callable[[Any, Version], bool]
VALID: dict[str, Valid] = {
    "model": lambda value, _: value in ("tutorial", "tuned"),
    "image": lambda value, _: _is_number(value, 0, 9999) or _is_whole(value, 0, 9999),
    "layer": lambda value, _: value in (*LAYERS, None),
    # None is the first one, which stays out of the address.
    "filter": lambda value, _: value is None or _is_whole(value, 1, 1599),
    "scale": lambda value, _: value in ("map", "shared", None),
    "panel": lambda value, _: value in ("numbers", "top images", "epochs", None),
    "part": lambda value, _: value in (*PARTS, None),
    "row": lambda value, _: value is None or _is_whole(value, 0, 25),
    "col": lambda value, _: value is None or _is_whole(value, 0, 25),
    "class_a": lambda value, _: value in map(class_label, range(10)),
    "class_b": lambda value, _: value in map(class_label, range(10)),
    "compare": lambda value, _: value in (*COMPARED, None),
    "examples": lambda value, _: _is_whole(value, 2, 5),
    "images_a": lambda value, _: type(value) is str,
    "images_b": lambda value, _: type(value) is str,
    "split": lambda value, _: value in ("test", "train", None),
    "class": lambda value, _: value in ("all", *CLASS_NAMES),
    "page": lambda value, _: _is_whole(value, 1, 800),
    "train_image": lambda value, _: _is_whole(value, 0, 59_999),
    "true": lambda value, _: value in CLASS_NAMES,
    "predicted": lambda value, _: value in CLASS_NAMES,
    "cells": lambda value, _: value in ("counts", "shares", None),
    "off": lambda value, model: value is None or _are_filters(value, cache.network(model)),
    "off_gives": lambda value, _: value in ("0", "its mean", None),
    "epoch": lambda value, model: value is None or value in cache.checkpoints(model),
    "map": lambda value, _: value in ("neighbours", "PCA", None),
    "colour": lambda value, _: value in ("class", "error", None),
}


def assert_holds(app: AppTest) -> None:
    """The page is there, says nothing that somebody else wrote, and its state can be trusted."""
    assert_sound(app)
    headings = [heading.value for heading in (*app.header, *app.subheader)]
    page = app.session_state["shown_page"] or "home"
    assert CONTENT[page] in " ".join([*headings, text(app)])
    raw = [element.proto.body for element in app.get("markdown") if element.proto.allow_html]
    for body in (html(app), *raw):
        assert not any(bad in body for bad in (MARK, "<script", "onerror"))
    model = cache.models()[app.session_state["model"]]
    for name, valid in VALID.items():
        if name in app.session_state:
            assert valid(app.session_state[name], model), (name, app.session_state[name])


@pytest.fixture(autouse=True)
def no_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The button begins a process of seconds; its own tests press it."""
    monkeypatch.setattr(jobs, "MOST_WAITING", 0)


# A page each. One case opens a page and makes up to three moves, so it takes a quarter of a second.
CASES = {"ci": 9, "deep": 800}[os.environ.get("HYPOTHESIS_PROFILE", "ci")]


@pytest.mark.parametrize("page", PAGES)
@settings(
    max_examples=CASES,
    # `open_page` holds nothing that a case could change.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(address=addresses(), moves=st.lists(MOVES, max_size=3))
def test_nothing_breaks_a_page(
    open_page: Open, page: str, address: dict[str, list[str]], moves: list[Move]
) -> None:
    app = open_page(page, **address)
    assert_holds(app)
    for move in moves:
        assert_holds(move.make(app))


@pytest.mark.parametrize(
    ("page", "parameter"), [("class_comparison", "images_a"), ("ablation", "off")]
)
@pytest.mark.parametrize("words", ["![x](//evil.example/x.png)", "[click](//evil.example)"])
def test_words_of_the_address_are_no_markdown(
    open_page: Open, page: str, parameter: str, words: str
) -> None:
    """Else a link to the app could show its visitors a foreign picture, or a link of its own."""
    app = open_page(page, **{parameter: words})
    assert_holds(app)
    (caption,) = app.caption
    assert "evil" in caption.value
    assert not re.search("<(a|img)", MarkdownIt().render(caption.value))
