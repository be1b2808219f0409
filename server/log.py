"""Server log: a line when it starts, and a line for each visit.

Lines are `key=value` words (logfmt): a lecturer reads them in the terminal as they are, `grep` and
`sort` count them, and log collectors take them apart. JSON would serve only the last of these.

Nothing in them is about a person: no address, browser, cookie or typed text. A visit's number is
drawn at random and is written nowhere else.
"""

from __future__ import annotations

import json
import logging
import platform
import re
import secrets
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import ParamSpec

import numpy as np
import streamlit as st

from core import dataset
from core.dataset import sources
from core.models import model_folder

Arguments = ParamSpec("Arguments")

ROOT = Path(__file__).resolve().parents[1]
HOME = "home"
PAGES = frozenset(script.stem for script in (ROOT / "pages").glob("[!_]*.py"))
# Those that decide how many students one process can take.
SETTINGS = ("runner.postScriptGC", "server.fileWatcherType", "server.enableStaticServing")

_VISIT = "log_visit"
_HANDLER = "see_the_filters"
_log = logging.getLogger("see_the_filters")
_first_run = Lock()  # Whoever gets it is the first; it is never released.


class _StandardError(logging.Handler):
    """Writes to what is `sys.stderr` at that moment, which tests replace."""

    def emit(self, record: logging.LogRecord) -> None:
        # Where standard error fails there is nowhere to tell.
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


def _harmless(function: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Makes sure that no page fails because of what is only written down."""

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception:
            _log.debug("event=failed", exc_info=True)

    return call


@_harmless
def started() -> None:
    """Writes what runs here, at the process's first script run."""
    if not _first_run.acquire(blocking=False):
        return
    _set_up()
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    _write(
        "started",
        version=version,
        python=platform.python_version(),
        streamlit=st.__version__,
        numpy=np.__version__,
        models=",".join(folder.name for folder in model_folder.find()),
        test_images=_source(dataset.folder_of("test")),
        training_images=_source(dataset.folder_of("train")),
        **{name.rpartition(".")[2]: st.get_option(name) for name in SETTINGS},
    )


@_harmless
def session(page: str) -> None:
    """Counts a script run of the frame; the visit's line is written when its browser leaves.

    A browser that comes back to its session, after its connection broke, makes another visit, with
    the same number.

    Args:
        page: the address of the page that is shown, "" for the first.
    """
    page = page or HOME
    if page not in PAGES:
        page = "unknown"
    visit: _Visit | None = st.session_state.get(_VISIT)
    if visit is None or visit.over:
        _set_up()
        number = visit.number if visit else secrets.token_hex(4)
        visit = st.session_state[_VISIT] = _Visit(number, page, back=visit is not None)
        _until_disconnected(visit)
    visit.count(page)


class _Visit:
    """A browser's stay, from its first script run until it disconnects."""

    def __init__(self, number: str, page: str, *, back: bool) -> None:
        self.number = number
        self.over = False
        self._page = page
        self._link = page != HOME or bool(st.query_params)
        self._back = back
        self._began = time.monotonic()
        self._pages = set[str]()
        self._runs = 0

    def count(self, page: str) -> None:
        self._pages.add(page)
        self._runs += 1

    @_harmless
    def end(self) -> None:
        self.over = True
        _write(
            "session",
            number=self.number,
            page=self._page,
            link=self._link,
            back=self._back,
            seconds=round(time.monotonic() - self._began),
            pages=len(self._pages),
            runs=self._runs,
        )


# Streamlit has no hook for the end of a session, but lets go of a session's resources at its end.
@st.cache_resource(
    scope="session", on_release=_Visit.end, hash_funcs={_Visit: id}, show_spinner=False
)
def _until_disconnected(visit: _Visit) -> _Visit:
    return visit


def _source(folder: Path | None) -> str:
    """Where a split comes from, without a path, which may hold the name of a person."""
    names = {
        sources.SYSTEM_DIR: "package",
        sources.BUNDLED_DIR: "bundled",
        sources.CACHE_DIR: "downloaded",
        None: "missing",
    }
    return names.get(folder, sources.DIR_VARIABLE)


def _set_up() -> None:
    """Gives the logger its handler, once: without one, Python writes warnings only."""
    # By its name, because the class is another one after this module was loaded again.
    if any(handler.name == _HANDLER for handler in _log.handlers):
        return
    handler = _StandardError()
    handler.name = _HANDLER
    formatter = logging.Formatter(
        "time=%(asctime)s level=%(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False  # Whoever hosts the app may have given the root logger a handler, too.


def _write(event: str, **fields: object) -> None:
    words = {"event": event, **fields}
    _log.info(" ".join(f"{key}={_word(value)}" for key, value in words.items()))


def _word(value: object) -> str:
    """A value without spaces, or in quotes; one line whatever it holds."""
    if isinstance(value, str):
        return value if re.fullmatch(r"[\w.,:/+-]+", value, re.ASCII) else json.dumps(value)
    return json.dumps(value)
