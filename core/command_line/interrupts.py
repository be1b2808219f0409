"""Signals that end a command: Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a closed terminal.

A command of this project turns all three into a `KeyboardInterrupt`, so that `finally` blocks
remove what is unfinished, and defers them while it renames folders.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

Handler = Callable[[int, FrameType | None], object]


class Interrupted(KeyboardInterrupt):
    """One of `SIGNALS` has arrived."""

    def __init__(self, signal_number: int = signal.SIGINT) -> None:
        """Keep the signal's number."""
        super().__init__()
        self.signal_number = signal_number


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status that a shell expects after the signal: 128 + its number."""
    if isinstance(interrupt, Interrupted):
        return 128 + interrupt.signal_number
    return 128 + signal.SIGINT


class Interrupts:
    """Raise `Interrupted` in the main thread when one of `SIGNALS` arrives; a context manager.

    A library may swallow the exception, as imports of TensorFlow sometimes do: `check` raises it
    again. A library may also raise another error instead of it: then `Interrupted` leaves the
    block. A signal that this process ignores (`nohup`, `&` in a script) stays ignored.
    """

    def __init__(self) -> None:
        """Install no handler yet."""
        self._received: int | None = None
        self._restore: Callable[[], None] = _nothing

    def __enter__(self) -> Self:
        """Install the handlers; in another thread than the main one, do nothing."""
        self._restore = _install(self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the earlier handlers back.

        Raises:
            Interrupted: It was raised before, and the block ended with another error.
        """
        self._restore()
        if self._received is not None and isinstance(error, Exception):
            raise Interrupted(self._received) from error

    def check(self) -> None:
        """Raise `Interrupted` again if it was raised before and swallowed."""
        if self._received is not None:
            raise Interrupted(self._received)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._received = number
        raise Interrupted(number)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer `SIGNALS` that arrive during the block: the first is delivered when it has ended."""
    received: list[int] = []
    restore = _install(lambda number, _frame: received.append(number))
    try:
        yield
    finally:
        restore()
        if received:
            signal.raise_signal(received[0])


def _install(handler: Handler) -> Callable[[], None]:
    """Handle `SIGNALS` by `handler`; return a function that puts the earlier handlers back."""
    if threading.current_thread() is not threading.main_thread():
        return _nothing
    earlier = {number: signal.getsignal(number) for number in SIGNALS}
    # None: a handler that was not installed by Python, which could not be put back.
    kept = (signal.SIG_IGN, None)
    changed = {number: old for number, old in earlier.items() if old not in kept}
    for number in changed:
        signal.signal(number, handler)

    def restore() -> None:
        for number, old in changed.items():
            signal.signal(number, old)

    return restore


def _nothing() -> None:
    """Do nothing."""
