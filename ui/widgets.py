"""Widgets that show what the URL says, and write into it what a visitor chooses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    options: Sequence[str] | Mapping[str, str],
    refusal: str = "",
    *,
    is_label_visible: bool = True,
) -> str:
    """Draw a choice of a few options, the first one by default, and return the chosen one.

    Args:
        key: The parameter.
        title: The widget's label.
        options: Values of the parameter; a mapping has what is displayed of each, which a link may
            have as well.
        refusal: Sentence about a value that is no option, with {wrong} and {chosen}; by default,
            that it does not exist.
        is_label_visible: Whether the label is displayed.
    """
    names = dict(options) if isinstance(options, Mapping) else {name: name for name in options}
    values = {name: value for value, name in names.items()} | {value: value for value in names}
    default = next(iter(names))
    text = read(key, values.__contains__, default)
    chosen = values[text.valid or default]
    if text.wrong is not None:
        refusal = refusal or f"{title} {{wrong}} does not exist: showing {{chosen}}."
        refuse(refusal.format(wrong=quoted(text.wrong), chosen=names[chosen]))
    show(key, chosen)
    st.segmented_control(
        title,
        list(names),
        required=True,
        format_func=names.__getitem__,
        key=key,
        label_visibility="visible" if is_label_visible else "collapsed",
        on_change=take_choice,
        args=(key, names, default),
    )
    return chosen


def selectbox(key: str, title: str, options: Sequence[str], default: str | None = None) -> str:
    """Draw a choice of many options and return the chosen one.

    Args:
        key: The parameter.
        title: The widget's label.
        options: Values of the parameter.
        default: Its default, where that depends on the options.
    """
    default = default or PARAMETERS[key].default
    text = read(key, options.__contains__, default)
    chosen = text.valid or default
    if text.wrong is not None:
        refuse(f"{title} {quoted(text.wrong)} does not exist: showing {chosen}.")
    show(key, chosen)
    st.selectbox(title, options, key=key, on_change=take_choice, args=(key, options, default))
    return chosen


def take_choice(key: str, options: Collection[str], default: str, **others: object) -> None:
    """Write a widget's new value into the URL, with other parameters that change with it."""
    value = st.session_state[key]
    # What comes from a browser may be anything.
    if isinstance(value, str) and value in options:
        set_parameters(**{key: None if value == default else value}, **others)


def refuse_number(what: str, wrong: str | None, low: int, high: int, shown: str) -> None:
    """Refuse a value that is no whole number in a range; None for nothing to refuse."""
    if wrong is not None:
        refuse(f"{what} {quoted(wrong)} does not exist ({low} to {high}): showing {shown}.")
