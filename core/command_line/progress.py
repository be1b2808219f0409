"""Report the progress of long work."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from core.command_line.interrupts import Interrupts

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done, 0 to 1, and a few words on the current step."""

MIN_SHARE = 0.02
"""Share of the work that must be done before the time left is estimated."""


def part_of(progress: Progress | None, begin: float, end: float, prefix: str = "") -> Progress:
    """Return a `Progress` that reports a task as the part of a whole between two shares.

    Args:
        progress: Receives the shares of the whole; None reports nothing.
        begin, end: The shares of the whole, 0 to 1, at which the task begins and ends.
        prefix: Put before the task's words.
    """

    def report(share: float, words: str) -> None:
        if progress is not None:
            progress(begin + share * (end - begin), prefix + words)

    return report


class ProgressBar:
    """A `Progress` that draws a bar and the time left on standard error; a context manager.

    On a terminal it redraws one line; elsewhere, as in a log file, it prints a line every 30 s.
    Signals that end a command raise `interrupts.Interrupted`, at the latest at the next step.
    """

    WIDTH = 16

    def __init__(self) -> None:
        """Start the clock."""
        self._terminal = sys.stderr.isatty()
        self._interval_s = 0.1 if self._terminal else 30.0
        self._started = time.monotonic()
        self._drawn = -math.inf
        self._share = 0.0
        self._interrupts = Interrupts()

    def __enter__(self) -> Self:
        """Return the bar; from now on signals raise `Interrupted`."""
        self._interrupts.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the line, so that what is printed next begins a new one.

        Raises:
            Interrupted: It was raised before, and the work ended with another error.
        """
        if self._terminal:
            print(file=sys.stderr)
        self._interrupts.__exit__(kind, error, trace)

    def __call__(self, share: float, words: str) -> None:
        """Draw the bar, unless it was just drawn; a smaller share than before starts another task.

        Raises:
            Interrupted: It was raised before, and the work went on.
        """
        self._interrupts.check()
        now = time.monotonic()
        if share < self._share:
            self._started = now
        self._share = share
        if share < 1 and now - self._drawn < self._interval_s:
            return
        self._drawn = now
        bar = "#" * round(share * self.WIDTH)
        line = f"[{bar:<{self.WIDTH}}] {share:4.0%}  {words}"
        if share >= MIN_SHARE:
            left = (now - self._started) * (1 - share) / share
            line += f"  {int(left) // 60}:{int(left) % 60:02} left"
        if self._terminal:
            print(f"\r{self._cut_or_padded(line)}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        # Spaces cover the bar.
        shown = f"\r{line:<{self._width()}}" if self._terminal else line
        print(shown, file=sys.stderr, flush=True)
        self._drawn = -math.inf

    def _cut_or_padded(self, line: str) -> str:
        """Return a line cut or padded to the terminal's width: a longer one would wrap."""
        width = self._width()
        return f"{line[:width]:<{width}}"

    @staticmethod
    def _width() -> int:
        return shutil.get_terminal_size().columns - 1
