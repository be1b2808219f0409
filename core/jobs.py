"""Long work in a process of its own: a page shows how far it is, and can cancel it.

The process that serves students has no time for it. The work is one of this project's commands that
prints JSON, a line each: {"progress": 0 to 1} now and then, and {"result": ...} at its end.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock, Semaphore, Thread
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
MOST_WAITING = 20
_NO_RESULT = "It ended without a result: please try again."

# One at a time: on a small machine the other core serves. Whoever came first goes first.
_turn = Semaphore(1)
_line: list[Job] = []
_lock = Lock()


class TooManyJobs(Exception):
    """So many are waiting that another one would wait for minutes."""


class Job:
    """A command that runs, or waits for its turn.

    Attributes:
        progress: how much of the work is done, 0 to 1.
        result: what the command printed as such; None before, and where it failed.
        problem: why there is no result, one sentence; "" where there may still be one.
        cancelled: whether nobody wants it any more.
    """

    def __init__(self, command: Sequence[str], known: Callable[[], Any]) -> None:
        """Get in line.

        Args:
            command: a module of this project and its arguments.
            known: asked when it is the command's turn, for somebody else may have run it
                meanwhile: its result, or None.

        Raises:
            TooManyJobs: `MOST_WAITING` are in line.
        """
        self.progress = 0.0
        self.result: Any = None
        self.problem = ""
        self._command, self._known = command, known
        self._process: subprocess.Popen[str] | None = None
        self.cancelled = False
        with _lock:
            if len(_line) >= MOST_WAITING:
                raise TooManyJobs
            _line.append(self)
        Thread(target=self._wait_and_run, daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether it has ended, with or without a result."""
        return self.result is not None or bool(self.problem) or self.cancelled

    @property
    def before(self) -> int:
        """How many others come first."""
        with _lock:
            return _line.index(self) if self in _line else 0

    def cancel(self) -> None:
        """End it now, without a result."""
        with _lock:
            self.cancelled = True
            if self in _line:
                _line.remove(self)
            if self._process is not None:
                self._process.kill()

    def _wait_and_run(self) -> None:
        with _turn:
            result, problem = None, _NO_RESULT
            try:
                if not self.done:
                    result = self._known()
                if result is None:
                    result, problem = self._run()
            finally:  # whatever happened, nobody waits for it any longer
                with _lock:
                    self.result, self.problem = result, "" if self.cancelled else problem
                    if self in _line:
                        _line.remove(self)

    def _run(self) -> tuple[Any, str]:
        """What came out, and what went wrong."""
        with _lock:
            if self.cancelled:
                return None, ""
            try:
                process = self._process = subprocess.Popen(
                    [sys.executable, "-m", *self._command],
                    cwd=_ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
            except OSError as error:  # no memory, or no process, is left
                return None, f"It could not be started ({error.strerror}): please try again."
        result, said = None, ""
        assert process.stdout is not None
        with process:
            for line in process.stdout:
                try:
                    message = json.loads(line)
                except ValueError:
                    message = None
                if not isinstance(message, dict):
                    said = line.strip()  # the last is the one that matters
                    continue
                self.progress = message.get("progress", self.progress)
                result = message.get("result")
        problem = said or _NO_RESULT
        return result, "" if result is not None else problem
