"""Order the script runs of all sessions: one computes at a time, quick ones first."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum

from server import memory


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


def has_turn() -> bool:
    """Return whether this script run computes now."""
    return _has_place.get()


def send_at_end_of_turn(
    message: Callable[[], None],
    send: Callable[[Callable[[], None]], None],
    loop: AbstractEventLoop,
) -> None:
    """Buffer what sends a message, until the turn ends or has taken long.

    Args:
        message: Sends the message, in the event loop.
        send: Lets the event loop call a function soon.
        loop: The event loop.
    """
    outbox = _outbox.get()
    if outbox is None:
        outbox = _Outbox(send, loop)
        _outbox.set(outbox)
    outbox.add(message)


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
