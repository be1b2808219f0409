"""The process that draws figures for download with matplotlib.

A figure takes Python a tenth of a second, the largest a whole one; drawn in the process that serves
students, each would make all of them wait. The drawing process, `python -m
core.pictures.drawing_process`, starts with the first figure. It ends when no figure was requested
for `IDLE_S`, or with the process that started it.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from threading import Event, Lock, Timer
from typing import ParamSpec

from core.paths import REPOSITORY

Arguments = ParamSpec("Arguments")

IDLE_S = 120.0
MAX_CACHED_FIGURES = 16  # of 0.6 MB at most, what they were drawn from included
# For one figure, the start of the process included; after that the process is killed. On two cores
# with a load of 13 a sheet of 512 maps took 24 s, and a map in a new process 9 s.
TIMEOUT_S = 45.0
# For the figures before a figure. With two attempts of `TIMEOUT_S` that makes two and a half
# minutes at most; Streamlit's browser side gives up after three.
MAX_WAIT_S = 60.0
# Without an attempt, after two processes in a row were killed. Those who wait, in threads or for
# one, are refused at once instead of one minute after the other.
PAUSE_S = 10.0
NICENESS = 5  # students who are served come first, where both want the same core


class DrawingError(RuntimeError):
    """A figure could not be drawn."""


_TOO_LONG = "The figure could not be drawn in time: please try again in a minute."

_process: subprocess.Popen[bytes] | None = None
_one_at_a_time = Lock()
_paused_until = 0.0  # by time.monotonic()


class FigureCache:
    """The figures that were requested last, by request; safe for threads."""

    def __init__(self, max_figures: int) -> None:
        """Keep at most so many figures."""
        self._max_figures = max_figures
        self._figures = OrderedDict[bytes, bytes]()  # the least recently used first
        self._lock = Lock()

    def get(self, request: bytes) -> bytes | None:
        """Return the figure of a request if it is cached."""
        with self._lock:
            if request in self._figures:
                self._figures.move_to_end(request)
            return self._figures.get(request)

    def put(self, request: bytes, figure: bytes) -> None:
        """Store a figure, and drop the least recently used one if there are too many."""
        with self._lock:
            self._figures[request] = figure
            if len(self._figures) > self._max_figures:
                self._figures.popitem(last=False)

    def clear(self) -> None:
        """Drop all figures."""
        with self._lock:
            self._figures.clear()


figure_cache = FigureCache(MAX_CACHED_FIGURES)


def run_in_drawing_process(function: Callable[Arguments, bytes]) -> Callable[Arguments, bytes]:
    """Make a function of a module run in the drawing process, and cache its results.

    The function then raises DrawingError where that process cannot start, fails or takes too long,
    and where too many other figures wait.
    """

    @wraps(function)
    def request_figure(*args: Arguments.args, **kwargs: Arguments.kwargs) -> bytes:
        request = pickle.dumps((function.__module__, function.__name__, args, kwargs))
        # Looked up before the wait: a figure that is drawn already does not wait for others.
        figure = figure_cache.get(request)
        if figure is not None:
            return figure
        if not _one_at_a_time.acquire(timeout=MAX_WAIT_S):
            raise DrawingError("Too many figures are wanted now: please try again in a minute.")
        try:
            figure = figure_cache.get(request)  # another thread may have drawn it meanwhile
            if figure is None:
                figure = _draw(request)
                figure_cache.put(request, figure)
            return figure
        finally:
            _one_at_a_time.release()

    return request_figure


def _draw(request: bytes) -> bytes:
    """Return a figure from the drawing process, in a second attempt from a new process.

    Raises:
        DrawingError: Both attempts failed, or the function raised an error.
    """
    global _paused_until
    if time.monotonic() < _paused_until:
        raise DrawingError(_TOO_LONG)
    for is_new in (False, True):
        try:
            figure, problem = _exchange(request)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            _end_process()
            if is_new and isinstance(error, TimeoutError):
                _paused_until = time.monotonic() + PAUSE_S
                raise DrawingError(_TOO_LONG) from error
            if is_new:
                raise DrawingError("The figure could not be drawn: please try again.") from error
            continue  # it has ended since the last figure, or hung
        break
    if problem:
        raise DrawingError(f"The figure could not be drawn: {problem}.")
    return figure


def _exchange(request: bytes) -> tuple[bytes, str]:
    """Return the figure and what went wrong; kill the process after `TIMEOUT_S`.

    Raises:
        TimeoutError: The process was killed.
        OSError, EOFError, pickle.UnpicklingError: It did not start, or has ended.
    """
    global _process
    if _process is None:
        _process = subprocess.Popen(
            [sys.executable, "-m", "core.pictures.drawing_process"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is for the server
        )
    assert _process.stdin is not None
    assert _process.stdout is not None
    is_late = Event()
    watchdog = Timer(TIMEOUT_S, _kill, [_process, is_late])
    watchdog.daemon = True
    watchdog.start()
    try:
        _process.stdin.write(request)
        _process.stdin.flush()
        answer: tuple[bytes, str] = pickle.load(_process.stdout)
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        if is_late.is_set():
            raise TimeoutError from error
        raise
    finally:
        watchdog.cancel()
    return answer


def _kill(process: subprocess.Popen[bytes], is_late: Event) -> None:
    """End a process whose figure does not come, which ends the wait for its pipe as well."""
    is_late.set()
    process.kill()


@atexit.register
def _end_process() -> None:
    global _process
    if _process is not None:
        _process.kill()
        _process.communicate()
        _process = None


def main() -> None:
    """Draw what is requested on standard input until it ends.

    A request is a pickled tuple: module, name of a function in it, and its arguments. The answer on
    standard output is a pickled tuple: the figure and, if the function failed, the reason.
    """
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # for whatever a library prints
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    while True:
        end = Timer(IDLE_S, os._exit, [0])
        end.daemon = True
        end.start()
        try:
            module, name, args, kwargs = pickle.load(requests)
        except EOFError:
            return
        finally:
            end.cancel()
        try:
            draw = getattr(import_module(module), name).__wrapped__
            answer = (draw(*args, **kwargs), "")
        except Exception as error:  # the next figure may succeed
            answer = (b"", repr(error))
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
