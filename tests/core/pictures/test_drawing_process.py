"""The process that draws figures: its cache, its limits, its start and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pytest

from core.pictures import download_figures, drawing_process
from core.pictures.drawing_process import DrawingError, FigureCache
from core.pictures.scales import Scale
from tests.harness.server import ROOT

MAPS = np.random.default_rng(0).random((5, 5, 10)).astype(np.float32)
SCALE = Scale.of(MAPS)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(drawing_process, "_paused_until", 0.0)
    drawing_process.figure_cache.clear()
    yield
    drawing_process.figure_cache.clear()


def map_figure(title: str = "a map") -> bytes:
    return download_figures.map_figure(MAPS[:, :, 0], SCALE, title)


def process_id() -> int:
    assert drawing_process._process is not None
    return drawing_process._process.pid


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to ask how."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_what_serves_does_not_draw() -> None:
    code = (
        "import sys, numpy as np; from core.pictures.download_figures import Scale, map_figure\n"
        "map_figure(np.eye(3, dtype=np.float32), Scale(0, 1, 'grey'), 'title')\n"
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


def test_drawn_figure_does_not_wait_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = map_figure()
    monkeypatch.setattr(drawing_process, "MAX_WAIT_S", 0.0)
    with drawing_process._one_at_a_time:  # held as long as a figure hangs
        assert map_figure() is drawn
        with pytest.raises(DrawingError, match=r"^Too many figures are wanted now"):
            map_figure("not drawn yet")


def test_cache_drops_the_least_recently_used_figure() -> None:
    cache = FigureCache(max_figures=2)
    cache.put(b"first", b"1")
    cache.put(b"second", b"2")
    assert cache.get(b"first") == b"1"
    cache.put(b"third", b"3")
    assert cache.get(b"second") is None
    assert (cache.get(b"first"), cache.get(b"third")) == (b"1", b"3")


def test_a_process_that_has_ended_is_replaced() -> None:
    first = map_figure()
    ended = process_id()
    os.kill(ended, signal.SIGKILL)
    assert drawing_process._process is not None
    drawing_process._process.wait(10)
    drawing_process.figure_cache.clear()
    assert map_figure() == first
    assert process_id() != ended


def test_what_cannot_be_drawn_is_one_sentence_and_the_next_figure_is_well() -> None:
    with pytest.raises(DrawingError, match=r"^The figure could not be drawn: \w+\(.*\)\.$"):
        download_figures.map_figure(MAPS, SCALE, "three axes and ten channels")
    before = process_id()
    assert map_figure()
    assert process_id() == before


def test_a_process_that_cannot_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing_process._end_process()
    with monkeypatch.context() as patch:
        patch.setattr(drawing_process, "sys", SimpleNamespace(executable="/nowhere/python"))
        with pytest.raises(DrawingError, match=r"^The figure could not be drawn: please try again"):
            map_figure()
    assert map_figure()


def test_a_figure_that_hangs_comes_from_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so do those that wait for it."""
    kept = map_figure()
    hangs = process_id()
    # Only the first exchange is cut short: a new process takes seconds where the machine is busy.
    limits = chain([0.2], repeat(drawing_process.TIMEOUT_S))
    monkeypatch.setattr(drawing_process, "Timer", lambda _, *call: Timer(next(limits), *call))
    drawing_process.figure_cache.clear()
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
    exchange, attempts = drawing_process._exchange, list[bytes]()

    def counted(request: bytes) -> tuple[bytes, str]:
        attempts.append(request)
        return exchange(request)

    sentence = r"^The figure could not be drawn in time: please try again in a minute\.$"
    with monkeypatch.context() as patch:
        patch.setattr(drawing_process, "TIMEOUT_S", 0.01)  # less than a process takes to start
        patch.setattr(drawing_process, "_exchange", counted)
        os.kill(process_id(), signal.SIGSTOP)
        with ThreadPoolExecutor(5) as downloads:
            waiting = [downloads.submit(map_figure, f"number {index}") for index in range(20)]
        for download in waiting:
            with pytest.raises(DrawingError, match=sentence):
                download.result()
        assert len(attempts) == 2
        assert map_figure() is kept  # what has been drawn needs no process
        patch.setattr(drawing_process, "_paused_until", 0.0)
        with pytest.raises(DrawingError, match=sentence):
            map_figure("after the pause")
        assert len(attempts) == 4
    monkeypatch.setattr(drawing_process, "_paused_until", 0.0)
    assert map_figure("with time enough")


def test_the_wait_for_other_figures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_process, "MAX_WAIT_S", 0.05)
    with (
        drawing_process._one_at_a_time,
        pytest.raises(DrawingError, match=r"^Too many figures are wanted now"),
    ):
        map_figure()
    assert map_figure()


def test_it_ends_where_nobody_wants_a_figure() -> None:
    code = "from core.pictures import drawing_process as it; it.IDLE_S = 0.1; it.main()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as idle:
        assert idle.wait(30) == 0  # though its standard input stays open


def test_it_ends_with_the_process_that_started_it() -> None:
    code = (
        "import numpy as np, time; from core.pictures import drawing_process\n"
        "from core.pictures.download_figures import Scale, map_figure\n"
        "map_figure(np.eye(3, dtype=np.float32), Scale(0, 1, 'grey'), 'title')\n"
        "print(drawing_process._process.pid, flush=True); time.sleep(60)"
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
