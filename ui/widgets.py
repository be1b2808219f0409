"""Widgets that show what the URL says, and write into it what a visitor chooses."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from ui.refusals import quoted, refuse
from ui.state import PARAMETERS, note_step, read, set_parameters, show, stepped_number


def number_input(key: str, title: str, low: int, high: int) -> int:
    """Draw an input for a whole number; each step replaces the entry of the browser's history."""
    number = stepped_number(key, low, high)
    show(key, number)
    st.number_input(
        title,
        min_value=low,
        max_value=high,
        step=1,
        key=key,
        on_change=take_step,
        args=(key,),
    )
    return number


def slider(key: str, title: str, low: int, high: int) -> int:
    """Draw a slider for a whole number; each step replaces the entry of the browser's history."""
    number = stepped_number(key, low, high)
    show(key, number)
    st.slider(title, low, high, key=key, on_change=take_step, args=(key,))
    return number


def take_step(key: str) -> None:
    """Note a widget's new number, which the browser then puts into the URL."""
    number = st.session_state[key]
    # What comes from a browser may be anything.
    if isinstance(number, int | float) and math.isfinite(number):
        note_step(key, int(number))


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
