"""Serve a class from one process: queueing and patches beyond Streamlit's settings."""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
import json
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from functools import partial, wraps
from typing import Any, ParamSpec

import streamlit as st
from starlette.types import Message
from starlette.websockets import WebSocket
from streamlit import config
from streamlit.components.v2.bidi_component import main as bidi_component
from streamlit.runtime.app_session import AppSession

from core import memory
from core.model_folder import ModelReplaced
from core.network import ModelError
from ui import figures, frontend

Arguments = ParamSpec("Arguments")


class Rank(IntEnum):
    """Order of the script runs that wait: quick ones first, such as a change of the filter."""

    FRAGMENT = 0
    PAGE = 1


class _Queue:
    """One place. Every session has a thread, and threads that compete for Python's interpreter lock
    slow each other down, and the one that sends what is ready: a hundred students cost a quarter
    more CPU if two may run at the same moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: list[tuple[Rank, int, threading.Event]] = []  # a heap
        self._numbers = itertools.count()

    def take(self, rank: Rank) -> None:
        """Wait for the place, behind those of a lower rank or as low a one."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            ready = threading.Event()
            heapq.heappush(self._waiting, (rank, next(self._numbers), ready))
        ready.wait()

    def leave(self) -> None:
        """Let the next one have it."""
        with self._lock:
            self._taken = bool(self._waiting)
            if self._waiting:
                heapq.heappop(self._waiting)[-1].set()


class _Outbox:
    """The messages of a script run, sent together at its end."""

    def __init__(self, send: Callable[[Callable[[], None]], None], loop: AbstractEventLoop) -> None:
        """`send` lets the event loop call a function soon."""
        self._send, self._loop = send, loop
        self._said: list[Callable[[], None]] = []
        self._since = time.monotonic()

    def add(self, said: Callable[[], None]) -> None:
        """Keep it; a run that takes long shows what it has."""
        self._said.append(said)
        if time.monotonic() - self._since > _LONG:
            self.flush()

    def flush(self) -> None:
        """Let all of it go."""
        said, self._said, self._since = self._said, [], time.monotonic()

        def go() -> None:
            for each in said:
                try:
                    each()
                except Exception as error:  # as the loop does, which goes on with the next one
                    self._loop.call_exception_handler({"message": "In a run", "exception": error})

        if said:
            self._send(go)


_LONG = 0.05  # seconds
_place = _Queue()
_RUNS_A_TIDY = 200  # a second's work takes about so many runs, and giving back 10 ms
_runs = itertools.count(1)
_has_place: ContextVar[bool] = ContextVar("has_place", default=False)
_outbox: ContextVar[_Outbox | None] = ContextVar("outbox", default=None)


@contextmanager
def turn(rank: Rank) -> Iterator[None]:
    """Waits until no other run computes; what the run says then leaves at the end. Inside another
    turn it does nothing."""
    if _has_place.get():
        yield
        return
    token = _has_place.set(True)
    _place.take(rank)
    try:
        yield
        if next(_runs) % _RUNS_A_TIDY == 0:
            memory.give_back()
    finally:
        if outbox := _outbox.get():
            outbox.flush()
            _outbox.set(None)
        _place.leave()
        _has_place.reset(token)


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
                st.error(figures.sentence(error))

    decorated: Callable[Arguments, None] = st.fragment(in_turn, run_every=run_every or _A_DAY)
    return decorated


_A_DAY = 86_400.0  # seconds


def as_json(**data: object) -> bytes:
    """A component's data, which its JavaScript reads with `JSON.parse`: bytes Streamlit 1.67 does
    not ask whether they are a table, which takes almost as long as the rest of a component."""
    return json.dumps(data, separators=(",", ":")).encode()


def _send_together() -> None:
    """Streamlit 1.67 wakes its event loop for each of a run's 30 messages, and each time the two
    take the interpreter from each other: a tenth of a move."""
    call_soon = AppSession._call_soon_on_event_loop

    def hold(session: AppSession, callback: Callable[[], None]) -> None:
        if not _has_place.get():
            call_soon(session, callback)
            return
        outbox = _outbox.get()
        if outbox is None:
            outbox = _Outbox(partial(call_soon, session), session._event_loop)
            _outbox.set(outbox)
        outbox.add(callback)

    AppSession._call_soon_on_event_loop = hold  # type: ignore[method-assign,assignment]


def _read_theme_once() -> None:
    """Streamlit 1.67 looks through all its options seven times for each script run, to tell the
    browser the theme: 2 ms of the 5 that an empty page takes. While it runs the theme stays."""
    look_up = config.get_options_for_section
    found: dict[str, dict[str, Any]] = {}

    def options_for_section(section: str) -> dict[str, Any]:
        if not section.startswith("theme"):
            return look_up(section)
        if section not in found:
            found[section] = look_up(section)
        return dict(found[section])

    config.get_options_for_section = options_for_section


class _Events(dict[Any, object]):
    """The events that a component has sent, by name; None for an event that did not happen."""

    def __getattr__(self, name: str) -> object:
        return self.get(name)


def _look_at_components_quickly() -> None:
    """Streamlit 1.67 makes a new class whenever it looks at what a component has sent, and it looks
    at every component for each number input and select box: a twelfth of an image move."""

    def presenter(aggregator_id: str, *_: object) -> Callable[[object, Any], object]:
        def present(base: object, state: Any) -> object:
            if not isinstance(base, dict):
                return base
            # What comes from a browser may be anything.
            sent = state._new_widget_state.get(aggregator_id) or ()
            events = {
                each["event"]: each.get("value")
                for each in sent
                if isinstance(each, dict) and isinstance(each.get("event"), str)
            }
            return _Events(events | base)

        return present

    bidi_component.make_bidi_component_presenter = presenter  # type: ignore[assignment,attr-defined]


def _hear_all_alike() -> None:
    """Streamlit 1.67 goes on as long as a browser has said more, before it hears anybody else: one
    that asks for a thousand runs at once kept everybody waiting for a second."""
    receive = WebSocket.receive

    async def receive_one(socket: WebSocket) -> Message:
        message = await receive(socket)
        await asyncio.sleep(0)  # lets the others come first
        return message

    WebSocket.receive = receive_one  # type: ignore[method-assign,assignment]


def _overlook_what_stays() -> None:
    """Takes what the imports left out of Python's search for cyclic garbage.

    They left 120,000 objects that never go. A full search through them holds the interpreter for
    65 ms, and comes only when a quarter as many new ones have outlived the shorter searches: so the
    garbage of sessions that have ended, messages and all, stays for long.
    """
    gc.freeze()


# A module is imported once, whoever comes first; when the first page shows, the server listens.
_read_theme_once()
_look_at_components_quickly()
_send_together()
_hear_all_alike()
frontend.serve_from_memory()
_overlook_what_stays()
