"""A server that cannot write, or not start a process: it serves, and says what it cannot do."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from server import jobs
from server.jobs import Job
from tests.harness.server import APP, ROOT, Server
from tests.harness.visitor import PAGES, Visitor, wait_until

# Python imports it before all else, in the server and in the processes that the server starts. Not
# a read-only mount: that takes privileges which a container that runs the tests may not have.
READ_ONLY = """
import errno, os, sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate"}

def refuse(event, arguments):
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, int) or not flags & WRITING or path == os.devnull:
            return
    elif event not in CHANGES:
        return
    os.write(2, f"refused {arguments[0]}\\n".encode())
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), arguments[0])

sys.addaudithook(refuse)
"""


@pytest.fixture
def read_only(tmp_path: Path) -> dict[str, str]:
    """The environment of a process for which the whole file system is read-only."""
    (tmp_path / "sitecustomize.py").write_text(READ_ONLY)
    return {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}


def visit_everything(server: Server) -> None:
    """Opens each page, chooses a filter that the server draws something for, and has the server
    count in a process of its own."""
    with Visitor(server.url) as visitor:
        for page in PAGES:
            visitor.open(page)
        visitor.open("filter_explorer?panel=top+images")
        visitor.choose("sheet", filter="7")
        assert visitor.data("sheet")["choice"] == {"filter": 7, "row": None, "col": None}
        assert visitor.shows("What excites filter 7 of conv_layer_1 most")
        visitor.query["off"] = "conv_layer_3:5"
        visitor.open("ablation")
        visitor.change("count_all")
        counted = "Counted over all 10,000 test images. "
        wait_until(lambda: visitor.go() and visitor.shows(counted), pause=0.5)


def test_a_read_only_disk_is_enough(read_only: dict[str, str]) -> None:
    with Server(APP, env=read_only) as server:
        visit_everything(server)
        said = server.log()
    refused = re.findall(r"^refused (.*)$", said, re.MULTILINE)
    print(refused)
    # Libraries would like a cache in the user's home, and go without.
    assert [path for path in refused if Path(path).is_relative_to(ROOT)] == []
    assert len(refused) < 10
    assert "Traceback" not in said


def test_a_full_disk_is_enough() -> None:
    with Server(APP) as server:
        # From now on each write to a file fails, that of its log, too, and so do its children's.
        written = len(server.log())
        resource.prlimit(server._process.pid, resource.RLIMIT_FSIZE, (0, 0))
        visit_everything(server)
        assert len(server.log()) == written
        assert server._process.poll() is None


FIGURE = """
import numpy as np
from core.pictures.download_figures import map_figure
from core.pictures.scales import Scale
print(map_figure(np.eye(9, dtype=np.float32), Scale(0, 1, "sequential"), "title")[:4])
"""


def test_a_figure_to_download_needs_no_disk(read_only: dict[str, str]) -> None:
    made = subprocess.run(
        [sys.executable, "-c", FIGURE],
        env={**os.environ, **read_only},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PNG" in made.stdout, made.stderr


def keep_nothing(_result: object) -> None:
    """Store no result."""


def test_a_count_that_cannot_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(executable="/nowhere/python"))
    waiting = [Job(key, ["core.ablation"], keep_nothing) for key in range(2)]
    for job in waiting:
        wait_until(lambda job=job: job.done)
        assert job.result is None
        assert re.fullmatch(r"[A-Z][^\n]*\.", job.problem)
    # They left the line, so that the next one is not told to wait for them.
    assert jobs._runs == {}


def test_a_count_that_is_killed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux does where memory runs out."""
    (tmp_path / "ends.py").write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = Job("ends", ["ends"], keep_nothing)
    wait_until(lambda: job.done)
    assert job.problem == "It ended without a result: please try again."


def test_a_count_whose_words_are_no_text_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = r"import sys; sys.stdout.buffer.write(b'\xff\n3\n[1]\nnull\n')"
    (tmp_path / "speaks.py").write_text(said)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = Job("speaks", ["speaks"], keep_nothing)
    wait_until(lambda: job.done)
    assert job.result is None
    assert job.problem
    assert jobs._runs == {}
