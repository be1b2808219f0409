"""Widgets that show what the URL says, and write into it what a visitor chooses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, TypedDict

import streamlit as st

from ui.refusals import quoted, refuse
from ui.state import PARAMETERS, note_whole_number, read, set_parameters, show


class Bound(TypedDict):
    """Arguments of a widget that Streamlit binds to the URL."""

    bind: Literal["query-params"]
    persist_state: Literal["session"]


# Of the owner "stepped": Streamlit replaces the history entry with each step.
BOUND: Bound = {"bind": "query-params", "persist_state": "session"}


def number_input(key: str, title: str, low: int, high: int, help_text: str | None = None) -> int:
    """Draw an input for a whole number; Streamlit replaces the history entry with each step."""
    # A float input, though the number is whole: Streamlit 1.67 fails on ?image=inf in an integer
    # input, and gives the default for it in a float input.
    default = float(PARAMETERS[key].default)
    number = st.number_input(
        title,
        min_value=float(low),
        max_value=float(high),
        value=default,
        step=1.0,
        format="%.0f",
        key=key,
        help=help_text,
        **BOUND,
    )
    note_whole_number(key)
    return int(number)


def segments(
    key: str,
    title: str,
    options: Sequence[str],
    what: str = "",
    *,
    format_func: Callable[[str], str] = str,
    label_visibility: Literal["visible", "collapsed"] = "visible",
) -> str:
    """Draw a choice of a few options, the first one by default, and return the chosen one.

    Args:
        key: The parameter.
        title: The widget's label.
        options: Values of the parameter.
        what: Name of the choice in a refusal; the title by default.
        format_func: Return an option as it is displayed.
        label_visibility: Whether the label is displayed.
    """
    text = read(key, options.__contains__, options[0])
    chosen = text.valid or options[0]
    refuse_choice(what or title, text.wrong, format_func(chosen))
    show(key, chosen)
    st.segmented_control(
        title,
        options,
        required=True,
        format_func=format_func,
        key=key,
        label_visibility=label_visibility,
        on_change=take_choice,
        args=(key, options, options[0]),
    )
    return chosen


def selectbox(
    key: str,
    title: str,
    options: Sequence[str],
    default: str | None = None,
    format_func: Callable[[str], str] = str,
) -> str:
    """Draw a choice of many options and return the chosen one; arguments as in `segments`."""
    default = default or PARAMETERS[key].default
    text = read(key, options.__contains__, default)
    chosen = text.valid or default
    refuse_choice(title, text.wrong, format_func(chosen))
    show(key, chosen)
    st.selectbox(
        title,
        options,
        format_func=format_func,
        key=key,
        on_change=take_choice,
        args=(key, options, default),
    )
    return chosen


def take_choice(key: str, options: Collection[str], default: str, **others: object) -> None:
    """Write a widget's new value into the URL, with other parameters that change with it."""
    value = st.session_state[key]
    # What comes from a browser may be anything.
    if isinstance(value, str) and value in options:
        set_parameters(**{key: None if value == default else value}, **others)


def refuse_choice(what: str, wrong: str | None, shown: str) -> None:
    """Refuse a value that is no choice; None for nothing to refuse."""
    if wrong is not None:
        refuse(f"{what} {quoted(wrong)} does not exist: showing {shown}.")


def refuse_number(what: str, wrong: str | None, low: int, high: int, shown: str) -> None:
    """Refuse a value that is no whole number in a range; None for nothing to refuse."""
    if wrong is not None:
        refuse(f"{what} {quoted(wrong)} does not exist ({low} to {high}): showing {shown}.")
