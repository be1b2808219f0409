"""Figures to download, and the process that draws them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise, repeat
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.pictures import drawing
from core.pictures.drawing import DrawingError
from core.pictures.images import Scale
from tests.harness.server import ROOT

MAPS = np.random.default_rng(0).random((5, 5, 10)).astype(np.float32)
SCALE = Scale.of(MAPS)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(drawing, "_paused_until", 0.0)
    drawing._drawn.cache_clear()
    yield
    drawing._drawn.cache_clear()


def map_figure(title: str = "a map") -> bytes:
    return drawing.map_figure(MAPS[:, :, 0], SCALE, title)


def process_id() -> int:
    assert drawing._process is not None
    return drawing._process.pid


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to ask how."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("name", ["map", "sheet", "sheet on one scale", "rows", "curves", "points"])
def test_figures_are_pictures_of_a_useful_size(name: str) -> None:
    history = {"epoch": [1, 2], "train_loss": [2.0, 1.0], "train_accuracy": [0.5, 0.9]}
    legend = [("even", "#332288"), ("odd", "#d55e00")]
    make = {
        "map": map_figure,
        "sheet": lambda: drawing.sheet_figure(MAPS, None, "a sheet"),
        "sheet on one scale": lambda: drawing.sheet_figure(MAPS, SCALE, "a sheet", columns=4),
        "rows": lambda: drawing.rows_figure([("x", [MAPS[:, :, 0]], SCALE)], ["one"], "rows"),
        "curves": lambda: drawing.curves_figure(pd.DataFrame(history), "curves"),
        "points": lambda: drawing.points_figure(
            MAPS[0, :, :2], np.arange(5) % 2, legend, ("across", "up"), "points"
        ),
    }
    picture = Image.open(io.BytesIO(make[name]()))
    assert picture.format == "PNG"
    assert min(picture.size) >= 300
    assert len(set(picture.convert("L").get_flattened_data())) > 16


def test_a_sheet_has_each_map_at_its_place() -> None:
    """On one scale, a map of a single value has one colour, that of its share of the scale."""
    maps = np.broadcast_to(np.linspace(0, 1, 10, dtype=np.float32), (5, 5, 10))
    data = drawing.sheet_figure(maps, Scale(0, 1, "sequential"), "", columns=4)
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    inch = drawing.FIGURE_DPI
    seen = [
        tuple(picture[round((0.4 + 1.2 * row + 0.7) * inch), round((1.1 * column + 0.55) * inch)])
        for row, column in (divmod(index, 4) for index in range(10))
    ]
    # viridis, from dark violet to yellow, gets greener from each tenth to the next.
    assert seen[0] == pytest.approx((68, 1, 84), abs=2)
    assert seen[-1] == pytest.approx((253, 231, 37), abs=2)
    assert all(before[1] < after[1] for before, after in pairwise(seen))


def test_what_serves_does_not_draw() -> None:
    code = (
        "import sys, numpy as np; from core.pictures import drawing, images\n"
        "drawing.map_figure(np.eye(3, dtype=np.float32), images.Scale(0, 1, 'grey'), 'title')\n"
        "print('matplotlib.figure' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "False\n"


def test_what_a_class_downloads_is_drawn_once() -> None:
    first = map_figure()
    os.kill(process_id(), signal.SIGSTOP)  # it could not draw another one
    try:
        assert map_figure() is first
    finally:
        os.kill(process_id(), signal.SIGCONT)
    assert map_figure("another one") != first


def test_a_process_that_has_ended_is_replaced() -> None:
    first = map_figure()
    ended = process_id()
    os.kill(ended, signal.SIGKILL)
    assert drawing._process is not None
    drawing._process.wait(10)
    drawing._drawn.cache_clear()
    assert map_figure() == first
    assert process_id() != ended


def test_what_cannot_be_drawn_is_one_sentence_and_the_next_figure_is_well() -> None:
    with pytest.raises(DrawingError, match=r"^The figure could not be drawn: \w+\(.*\)\.$"):
        drawing.map_figure(MAPS, SCALE, "three axes and ten channels")
    before = process_id()
    assert map_figure()
    assert process_id() == before


def test_a_process_that_cannot_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing._end()
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "sys", SimpleNamespace(executable="/nowhere/python"))
        with pytest.raises(DrawingError, match=r"^The figure could not be drawn: please try again"):
            map_figure()
    assert map_figure()


def test_a_figure_that_hangs_comes_from_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so do those that wait for it."""
    kept = map_figure()
    hangs = process_id()
    # Only the first exchange is cut short: a new process takes seconds where the machine is busy.
    limits = chain([0.2], repeat(drawing._TIMEOUT_S))
    monkeypatch.setattr(drawing, "Timer", lambda _, *call: Timer(next(limits), *call))
    drawing._drawn.cache_clear()
    os.kill(hangs, signal.SIGSTOP)
    with ThreadPoolExecutor(3) as downloads:
        figures = list(downloads.map(map_figure, ["a map", "another one", "a third one"]))
    assert figures[0] == kept
    assert len(set(figures)) == 3
    assert process_id() != hangs
    assert not is_there(hangs)


def test_figures_that_always_hang_are_refused_after_two_attempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that wait are refused with the first one, not one after the other."""
    kept = map_figure()
    exchange, attempts = drawing._exchange, list[bytes]()

    def counted(request: bytes) -> tuple[bytes, str]:
        attempts.append(request)
        return exchange(request)

    sentence = r"^The figure could not be drawn in time: please try again in a minute\.$"
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "_TIMEOUT_S", 0.01)  # less than a process takes to start
        patch.setattr(drawing, "_exchange", counted)
        os.kill(process_id(), signal.SIGSTOP)
        with ThreadPoolExecutor(5) as downloads:
            waiting = [downloads.submit(map_figure, f"number {index}") for index in range(20)]
        for download in waiting:
            with pytest.raises(DrawingError, match=sentence):
                download.result()
        assert len(attempts) == 2
        assert map_figure() is kept  # what has been drawn needs no process
        patch.setattr(drawing, "_paused_until", 0.0)
        with pytest.raises(DrawingError, match=sentence):
            map_figure("after the pause")
        assert len(attempts) == 4
    monkeypatch.setattr(drawing, "_paused_until", 0.0)
    assert map_figure("with time enough")


def test_the_wait_for_other_figures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_MAX_WAIT_S", 0.05)
    with (
        drawing._one_at_a_time,
        pytest.raises(DrawingError, match=r"^Too many figures are wanted now"),
    ):
        map_figure()
    assert map_figure()


def test_it_ends_where_nobody_wants_a_figure() -> None:
    code = "from core.pictures import drawing; drawing._IDLE = 0.1; drawing.main()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as idle:
        assert idle.wait(30) == 0  # though its standard input stays open


def test_it_ends_with_the_process_that_started_it() -> None:
    code = (
        "import numpy as np, time; from core.pictures import drawing, images\n"
        "drawing.map_figure(np.eye(3, dtype=np.float32), images.Scale(0, 1, 'grey'), 'title')\n"
        "print(drawing._process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        draws = int(server.stdout.readline())
        assert is_there(draws)
        server.kill()
    for _ in range(200):
        if not is_there(draws):
            return
        time.sleep(0.05)
    pytest.fail("it draws for nobody")
