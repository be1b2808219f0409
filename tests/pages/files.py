"""The files that a page offers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import ui.downloads

Files = dict[str, Callable[[], bytes]]
"""What makes the contents of each file, by the files' names."""


def collect_files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """Open each menu of files, and return the files that the pages offer from now on."""
    offered: Files = {}

    def offer(_: str, make: Callable[[], bytes], name: str, **__: object) -> None:
        offered[name] = make

    class OpenMenu(nullcontext[None]):
        open = True

    streamlit = SimpleNamespace(popover=lambda *_, **__: OpenMenu(), download_button=offer)
    monkeypatch.setattr(ui.downloads, "st", streamlit)
    return offered
