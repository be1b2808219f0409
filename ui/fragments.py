"""Parts of a page that run alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from core.models.model_folder import ModelReplaced
from core.network import ModelError
from server.queueing import Rank, turn
from ui import markup

Arguments = ParamSpec("Arguments")


def fragment(
    function: Callable[Arguments, None], *, run_every: float | None = None
) -> Callable[Arguments, None]:
    """`st.fragment`, which takes its turn and comes back after a break.

    When a page has lost its server, Streamlit 1.67's browser side asks the next one for a run only
    if the last run was a fragment's, or if a fragment has a clock. Otherwise the new session knows
    none of the page's fragments, and drops each move of a filter without a word. So all have a
    clock, which ticks once a day.
    """

    @wraps(function)
    def in_turn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with turn(Rank.FRAGMENT):
            try:
                function(*args, **kwargs)
            except ModelReplaced:  # the model that the page was opened with is gone
                st.rerun()
            except ModelError as error:  # of another image than the one in view
                st.error(markup.sentence(error))

    decorated: Callable[Arguments, None] = st.fragment(in_turn, run_every=run_every or _A_DAY)
    return decorated


_A_DAY = 86_400.0  # seconds
