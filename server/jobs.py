"""Long work in a process of its own: a page shows how far it is, and can cancel it.

The process that serves students has no time for it. The work is one of this project's commands that
prints JSON, a line each: {"progress": 0 to 1} now and then, and {"result": ...} at its end.

Visitors who want the same result share one run of the command. The run ends with the last of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Hashable, Sequence
from threading import Condition, Thread, Timer
from typing import Any

from core.paths import REPOSITORY

MOST_WAITING = 20
_NO_RESULT = "It ended without a result: please try again."

# All runs that somebody wants, by key, in the order in which they came. The first one has a
# process, the others wait: on a small machine the other core serves.
_runs: dict[Hashable, _Run] = {}
_changed = Condition()  # guards `_runs` and what is in them


class TooManyJobs(Exception):
    """So many are waiting that another one would wait for minutes."""


class Job:
    """The request of one visitor for the result of a command, which runs or waits for its turn.

    Attributes:
        cancelled: True once `cancel` was called.
    """

    def __init__(self, key: Hashable, command: Sequence[str], keep: Callable[[Any], None]) -> None:
        """Join the run with the same key, or get in line with a new one.

        Args:
            key: Names the result; jobs with equal keys share one run.
            command: A module of this project and its arguments.
            keep: Called with the result, from another thread, before any job of the run is done.

        Raises:
            TooManyJobs: `MOST_WAITING` runs are in line, none of which has this key.
        """
        self.cancelled = False
        self._left = False
        with _changed:
            if key not in _runs:
                if len(_runs) >= MOST_WAITING:
                    raise TooManyJobs
                _runs[key] = _Run(key, command, keep)
            self._run = _runs[key]
            self._run.wanted_by.add(self)

    @property
    def progress(self) -> float:
        """Share of the work that is done, 0 to 1."""
        return self._run.progress

    @property
    def result(self) -> Any:
        """The result that the command printed; None before, and if it failed."""
        return self._run.result

    @property
    def problem(self) -> str:
        """Why there is no result, as one sentence; "" while there may still be one."""
        return self._run.problem

    @property
    def done(self) -> bool:
        """True once the job has ended, with or without a result."""
        return self.result is not None or bool(self.problem) or self._left

    @property
    def before(self) -> int:
        """Number of runs that come first."""
        with _changed:
            return self._run.place()

    def cancel(self, after_s: float = 0.0) -> None:
        """Give the result up; the run ends if nobody else wants it.

        Args:
            after_s: Seconds until then. Whoever wants the result again meanwhile makes another
                job with the same key, which joins the same run.
        """
        self.cancelled = True
        if after_s <= 0:
            self._leave()
            return
        timer = Timer(after_s, self._leave)
        timer.daemon = True
        timer.start()

    def _leave(self) -> None:
        with _changed:
            self._left = True
            self._run.wanted_by.discard(self)
            if not self._run.wanted_by:
                self._run.stop()


class _Run:
    """One run of a command for all jobs with the same key; `place` and `stop` need `_changed`."""

    def __init__(self, key: Hashable, command: Sequence[str], keep: Callable[[Any], None]) -> None:
        self.progress = 0.0
        self.result: Any = None
        self.problem = ""
        self.wanted_by = set[Job]()
        self._key, self._command, self._keep = key, command, keep
        self._process: subprocess.Popen[str] | None = None
        Thread(target=self._wait_and_run, daemon=True).start()

    def place(self) -> int:
        """Number of runs before this one, 0 for one that is no longer in line."""
        return list(_runs).index(self._key) if self._is_in_line() else 0

    def stop(self) -> None:
        """End the process, or never start it, and let the next run begin."""
        if self._is_in_line():
            del _runs[self._key]
            _changed.notify_all()
        if self._process is not None:
            self._process.kill()

    def _is_in_line(self) -> bool:
        return _runs.get(self._key) is self

    def _wait_and_run(self) -> None:
        with _changed:
            _changed.wait_for(lambda: self.place() == 0)
        result, problem = None, ""
        try:
            found, problem = self._execute()
            if found is not None:
                self._keep(found)
                result = found
        finally:  # whatever happened, nobody waits any longer
            with _changed:
                if self._is_in_line():  # else nobody wants it
                    self.result = result
                    self.problem = "" if result is not None else problem or _NO_RESULT
                    self.stop()

    def _execute(self) -> tuple[Any, str]:
        """Return the result and what went wrong."""
        with _changed:
            if not self._is_in_line():
                return None, ""
            try:
                process = self._process = subprocess.Popen(
                    [sys.executable, "-m", *self._command],
                    cwd=REPOSITORY,
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
