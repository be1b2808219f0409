"""The URL's parameters: reading does not write, and writing is one step of the history."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ui import state
from ui.state import PARAMETERS, Text


def read_filter() -> None:
    import streamlit as st

    from ui import state

    with state.reading_url("filter_explorer") as reading:
        text = state.read("filter", lambda text: text.isdecimal() and int(text) < 64)
    st.session_state["found"] = (text, reading.superfluous)


def read(**parameters: str | list[str]) -> AppTest:
    app = AppTest.from_function(read_filter)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


@pytest.mark.parametrize(
    ("given", "text", "superfluous"),
    [
        (None, Text(None, None), {}),
        ("7", Text("7", None), {}),
        ("0", Text("0", None), {"filter": ("0", "")}),
        ("", Text(None, None), {"filter": ("", "")}),
        ("99", Text(None, "99"), {"filter": ("99", "")}),
        (["99", "7"], Text("7", "99"), {}),
    ],
)
def test_value_is_checked_and_left_as_it_is(
    given: Any, text: Text, superfluous: dict[str, tuple[str, str]]
) -> None:
    app = read() if given is None else read(filter=given)
    assert app.session_state["found"] == (text, superfluous)
    assert app.query_params == ({} if given is None else {"filter": given})


def test_wrong_value_is_named_once_and_stays_superfluous() -> None:
    app = read(filter="99").run()
    assert app.session_state["found"] == (Text(None, None), {"filter": ("99", "")})


def set_and_read() -> None:
    import streamlit as st

    from ui import state

    state.set_parameters(**st.session_state["values"])


@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        ({}, {"filter": 3}, {"filter": "3"}),
        ({"filter": "3"}, {"filter": 0}, {}),
        ({"filter": "3"}, {"filter": None}, {}),
        ({"row": "1", "col": "2"}, {"row": None, "col": None}, {"row": "", "col": ""}),
        ({"class_a": "2"}, {"class_a": 5, "class_b": 9}, {"class_a": "5"}),
        ({"embed": "true", "off": "x:1"}, {"off": "x:2"}, {"embed": "true", "off": "x:2"}),
    ],
)
def test_parameters_are_set(
    before: dict[str, str], values: dict[str, object], after: dict[str, str]
) -> None:
    app = AppTest.from_function(set_and_read)
    for name, value in before.items():
        app.query_params[name] = value
    app.session_state["values"] = values
    assert app.run().query_params == after


def test_link_has_what_it_changes_and_nothing_else() -> None:
    assert state.address("filter_explorer", layer="a b", filter=3) == (
        "filter_explorer?layer=a+b&filter=3"
    )
    assert state.address("", off="") == "./?off="


def test_each_parameter_is_described() -> None:
    for name, parameter in PARAMETERS.items():
        assert parameter.type, name
        assert parameter.page, name
