"""Values of the URL that are refused: named in one line above the page, once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import streamlit as st

from ui import markup

MAX_QUOTED_CHARACTERS = 40
MAX_REFUSALS = 3

# Set while the frame draws a page, and not in a fragment's own run.
_refusals: ContextVar[list[str] | None] = ContextVar("refusals", default=None)


@contextmanager
def refusals_shown() -> Iterator[None]:
    """Show in one line what the code inside refuses.

    The line is the last element of the page, which style.css places first: a placeholder at the top
    would cost every run a message, and would move all other elements when it goes.
    """
    refusals: list[str] = []
    token = _refusals.set(refusals)
    try:
        yield
    finally:
        _refusals.reset(token)
        if refusals:
            with st.container(key="refusals"):
                st.caption(markup.as_text(_one_line(refusals)))


def refuse(sentence: str) -> None:
    """State what is refused and what is shown instead, as plain text of one sentence."""
    refusals = _refusals.get()
    if refusals is None:  # The fragment alone is drawn again, not the place above the page.
        st.caption(markup.as_text(sentence))
    else:
        refusals.append(sentence)


def quoted(text: str) -> str:
    """Return a visitor's text for a sentence: a whole number as it is, other text in quotation
    marks; printable and short in either case."""
    if re.fullmatch(r"-?[0-9]{1,12}", text):
        return text
    # Control characters may break the line or reverse its direction.
    start = text[:MAX_QUOTED_CHARACTERS]
    printable = "".join(sign if sign.isprintable() else "�" for sign in start)
    return f"“{printable}{'…' if start != text else ''}”"


def _one_line(sentences: Sequence[str]) -> str:
    """Join the first sentences, and count the others."""
    more = len(sentences) - MAX_REFUSALS
    rest = [f"{more} more {'value is' if more == 1 else 'values are'} not valid."]
    return " ".join([*sentences[:MAX_REFUSALS], *(rest if more > 0 else [])])
