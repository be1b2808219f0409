"""The result of a check, and words that several checks use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

INSTALL = "`pip install -r requirements.txt`"

State = Literal["good", "warning", "broken"]


@dataclass(frozen=True)
class Finding:
    """The result of a check: one line with its subject and, unless good, the remedy."""

    state: State
    text: str


Check = Callable[[], Iterator[Finding]]
"""A check yields any number of findings."""


def without_full_stop(error: Exception) -> str:
    """Return an error's sentence without a full stop, as all findings are."""
    return str(error).rstrip(".")
