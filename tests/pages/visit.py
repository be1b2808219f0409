"""What a visitor does on a page that AppTest has no method for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import ui.downloads

Files = dict[str, Callable[[], bytes]]
"""What makes the contents of each file, by the files' names."""


def switch_page(app: AppTest, page: str) -> AppTest:
    """Open another page of the session; AppTest.switch_page knows pages that are scripts alone."""
    app._page_hash = calc_hash(page)
    return app.run()


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
