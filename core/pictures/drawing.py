"""Figures for people who download: matplotlib draws them, in a process of its own.

A figure takes Python a tenth of a second, the largest a whole one; drawn where students are
served, each would make all of them wait. The process starts with the first figure, `python -m
core.pictures.drawing`, and ends when nobody has wanted one for a while, or with the process that
started it.
"""

from __future__ import annotations

import atexit
import io
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from threading import Event, Lock, Timer
from typing import TYPE_CHECKING, Literal, ParamSpec

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.paths import REPOSITORY
from core.pictures.images import PALETTES, SPLIT_COLOURS, Column, FloatArray, Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")

FIGURE_DPI = 150
_IDLE = 120.0  # seconds without a figure after which the process ends
_MOST_KEPT = 16  # of 0.6 MB at most, what they were drawn from included
# Seconds for one figure, the start of the process included; after that the process is killed. On
# two cores with a load of 13 a sheet of 512 maps took 24 s, and a map in a new process 9 s.
_TIMEOUT_S = 45.0
# Seconds that a figure waits for those before it. With two attempts of `_TIMEOUT_S` that makes two
# and a half minutes at most; Streamlit's browser side gives up after three.
_MAX_WAIT_S = 60.0
# Seconds without an attempt after two processes in a row were killed. Those who wait, in threads or
# for one, are refused at once instead of one minute after the other.
_PAUSE_S = 10.0
_NICE = 5  # students who are served come first, where both want the same core


class DrawingError(RuntimeError):
    """A figure could not be drawn."""


_TOO_LONG = "The figure could not be drawn in time: please try again in a minute."

_draw: dict[str, Callable[..., bytes]] = {}
_process: subprocess.Popen[bytes] | None = None
_one_at_a_time = Lock()
_paused_until = 0.0  # by time.monotonic()


def _elsewhere(function: Callable[Arguments, bytes]) -> Callable[Arguments, bytes]:
    """Lets the other process draw. What a whole class downloads is drawn once.

    The function then raises DrawingError where that process cannot start, fails or takes too long,
    and where too many others wait."""
    _draw[function.__name__] = function

    @wraps(function)
    def ask(*args: Arguments.args, **kwargs: Arguments.kwargs) -> bytes:
        request = pickle.dumps((function.__name__, args, kwargs))
        if not _one_at_a_time.acquire(timeout=_MAX_WAIT_S):
            raise DrawingError("Too many figures are wanted now: please try again in a minute.")
        try:
            return _drawn(request)
        finally:
            _one_at_a_time.release()

    return ask


@lru_cache(_MOST_KEPT)
def _drawn(request: bytes) -> bytes:
    global _paused_until
    if time.monotonic() < _paused_until:
        raise DrawingError(_TOO_LONG)
    for is_new in (False, True):
        try:
            figure, problem = _exchange(request)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            _end()
            if is_new and isinstance(error, TimeoutError):
                _paused_until = time.monotonic() + _PAUSE_S
                raise DrawingError(_TOO_LONG) from error
            if is_new:
                raise DrawingError("The figure could not be drawn: please try again.") from error
            continue  # it has ended since the last figure, or hung
        break
    if problem:
        raise DrawingError(f"The figure could not be drawn: {problem}.")
    return figure


def _exchange(request: bytes) -> tuple[bytes, str]:
    """Return the figure and what went wrong; kill the process after `_TIMEOUT_S`.

    Raises:
        TimeoutError: The process was killed.
        OSError, EOFError, pickle.UnpicklingError: It did not start, or has ended.
    """
    global _process
    if _process is None:
        _process = subprocess.Popen(
            [sys.executable, "-m", "core.pictures.drawing"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is for the server
        )
    assert _process.stdin is not None
    assert _process.stdout is not None
    is_late = Event()
    watchdog = Timer(_TIMEOUT_S, _kill, [_process, is_late])
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
def _end() -> None:
    global _process
    if _process is not None:
        _process.kill()
        _process.communicate()
        _process = None


@_elsewhere
def map_figure(values: FloatArray, scale: Scale, title: str) -> bytes:
    """PNG file of one array (h, w) with axes in cells and a colour bar in activation units."""
    figure = _figure(6, 5)
    axes = figure.add_subplot()
    picture = axes.imshow(values, PALETTES[scale.palette], vmin=scale.low, vmax=scale.high)
    figure.colorbar(picture, ax=axes, label="activation (no unit)")
    axes.set_title(title)
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    return _save(figure)


@_elsewhere
def sheet_figure(maps: FloatArray, scale: Scale | None, title: str, columns: int = 8) -> bytes:
    """PNG file of all maps (h, w, n), numbered from 0; without a scale each map has its own."""
    count = maps.shape[2]
    rows = -(-count // columns)
    # In inches. One coordinate system for all, because axes of its own for each map would take
    # eight times as long.
    head, side, across, down = 0.4, 1.0, 1.1, 1.2
    width, height = columns * across, head + rows * down
    figure = _figure(width, height, layout=None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for index in range(count):
        row, column = divmod(index, columns)
        left, bottom = column * across + (across - side) / 2, head + (row + 1) * down
        own = scale or Scale.of(maps[:, :, index])
        axes.imshow(
            maps[:, :, index],
            PALETTES[own.palette],
            vmin=own.low,
            vmax=own.high,
            extent=(left, left + side, bottom, bottom - side),
            aspect="auto",
        )
        axes.text(left + side / 2, bottom - side - 0.03, str(index), fontsize=7, ha="center")
    axes.set(xlim=(0, width), ylim=(height, 0))
    how = (
        f"one scale: {scale.low:.3g} to {scale.high:.3g}" if scale else "every map on its own scale"
    )
    axes.text(width / 2, head / 2, f"{title} ({how})", fontsize=10, ha="center")
    return _save(figure)


@_elsewhere
def rows_figure(
    columns: Sequence[Column],
    row_titles: Sequence[str],
    title: str,
) -> bytes:
    """PNG file of a grid of arrays: each column has a heading, its arrays and one scale."""
    figure = _figure(1.6 * len(columns) + 1.5, 1.35 * len(row_titles) + 1.2)
    grid = figure.subplots(len(row_titles), len(columns), squeeze=False)
    for column, (heading, arrays, scale) in enumerate(columns):
        for row, values in enumerate(arrays):
            axes = grid[row, column]
            picture = axes.imshow(values, PALETTES[scale.palette], vmin=scale.low, vmax=scale.high)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(heading, fontsize=8)
            if column == 0:
                axes.set_ylabel(row_titles[row], fontsize=7, rotation=0, ha="right", va="center")
        figure.colorbar(picture, ax=grid[:, column], location="bottom", shrink=0.9)
    figure.suptitle(title, fontsize=10)
    return _save(figure)


@_elsewhere
def curves_figure(history: pd.DataFrame, title: str) -> bytes:
    """PNG file of loss and accuracy by epoch, a line a split, from a model's history."""
    figure = _figure(9, 3.6)
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column in history.columns:
            split, _, what = column.partition("_")
            if what == measure:
                axes.plot(
                    history["epoch"], history[column], "o-", color=SPLIT_COLOURS[split], label=split
                )
        axes.set_xlabel("epoch")
        axes.set_ylabel(measure)
        axes.legend()
    figure.suptitle(title)
    return _save(figure)


@_elsewhere
def points_figure(
    places: FloatArray,
    groups: npt.NDArray[np.integer],
    legend: Sequence[tuple[str, str]],
    axes_names: tuple[str, str],
    title: str,
) -> bytes:
    """PNG file of points at places (n, 2), the last on top; a point's group (n,) is its name and
    colour in the legend."""
    figure = _figure(8, 7)
    axes = figure.add_subplot()
    x, y = places.T
    axes.scatter(x, y, s=3, c=np.array([colour for _, colour in legend])[groups], linewidths=0)
    counts = np.bincount(groups, minlength=len(legend))
    for (name, colour), count in zip(legend, counts, strict=True):
        axes.scatter([], [], s=3, color=colour, linewidths=0, label=f"{name} ({count})")
    axes.set_aspect("equal")
    axes.set_xlabel(axes_names[0])
    axes.set_ylabel(axes_names[1])
    if not any(axes_names):
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_title(title, fontsize=10)
    figure.legend(loc="outside right center", markerscale=4, fontsize=8)
    return _save(figure)


def _figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """An empty figure of that size in inches."""
    from matplotlib.figure import Figure  # 14 MB, which the process that serves does without

    return Figure((width, height), layout=layout)


def _save(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=FIGURE_DPI)
    return buffer.getvalue()


def main() -> None:
    """Draw what comes in on standard input, until it ends: a pickled name of a function and its
    arguments each time. On standard output go the figure and, if it failed, the reason."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # for whatever a library has to say
    if hasattr(os, "nice"):
        os.nice(_NICE)
    while True:
        end = Timer(_IDLE, os._exit, [0])
        end.daemon = True
        end.start()
        try:
            name, args, kwargs = pickle.load(requests)
        except EOFError:
            return
        finally:
            end.cancel()
        try:
            answer = (_draw[name](*args, **kwargs), "")
        except Exception as error:  # the next figure may be well
            answer = (b"", repr(error))
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
