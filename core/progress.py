"""How long work says where it stands."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done, 0 to 1, and a few words on where it stands."""


class ProgressBar:
    """A `Progress` that draws a bar and the time left on standard error; a context manager.

    On a terminal it is one line that changes; elsewhere, as in a log file, a line now and then.

    Ctrl-C also ends work in which a library swallows the KeyboardInterrupt, as imports of
    TensorFlow sometimes do: the next step raises it again. And where a library makes another error
    of it, a KeyboardInterrupt leaves the bar.
    """

    WIDTH = 16

    def __init__(self) -> None:
        """Start the clock."""
        self._terminal = sys.stderr.isatty()
        self._interval = 0.1 if self._terminal else 30.0  # seconds
        self._started = time.monotonic()
        self._drawn = -math.inf
        self._share = 0.0
        self._interrupted = False
        # Elsewhere than in the main thread nobody may listen, and who ignores Ctrl-C goes on to.
        self._handler = signal.getsignal(signal.SIGINT)
        in_main = threading.current_thread() is threading.main_thread()
        self._listens = in_main and self._handler is not signal.SIG_IGN

    def __enter__(self) -> Self:
        """Return the bar, which listens for Ctrl-C."""
        if self._listens:
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the line, so that what is printed next begins a new one.

        Raises:
            KeyboardInterrupt: It was raised before, and the work ended with another error.
        """
        if self._listens:
            signal.signal(signal.SIGINT, self._handler)
        if self._terminal:
            print(file=sys.stderr)
        if self._interrupted and isinstance(error, Exception):
            raise KeyboardInterrupt from error

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        raise KeyboardInterrupt

    def __call__(self, share: float, words: str) -> None:
        """Draw the bar, unless it was drawn a moment ago; a smaller share begins another task.

        Raises:
            KeyboardInterrupt: It was raised before, and the work went on.
        """
        if self._interrupted:
            raise KeyboardInterrupt
        now = time.monotonic()
        if share < self._share:
            self._started = now
        self._share = share
        if share < 1 and now - self._drawn < self._interval:
            return
        self._drawn = now
        bar = "#" * round(share * self.WIDTH)
        line = f"[{bar:<{self.WIDTH}}] {share:4.0%}  {words}"
        if share:
            left = (now - self._started) * (1 - share) / share
            line += f"  {int(left) // 60}:{int(left) % 60:02} left"
        if self._terminal:
            print(f"\r{line:<79}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
