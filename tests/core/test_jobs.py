"""Commands in a process of their own: their results, their order, and their end."""

import time
from pathlib import Path

import pytest

from core import jobs
from core.jobs import Job, TooManyJobs

SLOW = """
import json, sys, time
for step in range(int(sys.argv[1])):
    print(json.dumps({"progress": step / 1000}), flush=True)
    time.sleep(0.02)
print("a word of warning")
print(json.dumps({"result": sys.argv[1]}))
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A command that takes as many steps as its argument says, 20 ms each."""
    (tmp_path / "slow_command.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "slow_command"


def nothing() -> None:
    """No result is known."""


def wait(job: Job) -> None:
    for _ in range(3000):
        if job.done:
            return
        time.sleep(0.01)
    pytest.fail("the job does not end")


def test_a_job_says_how_far_it_is_and_what_came_out(slow: str) -> None:
    job = Job([slow, "30"], nothing)
    seen = set()
    while not job.done:
        seen.add(job.progress)
        time.sleep(0.005)
    assert job.result == "30"
    assert job.problem == ""
    assert len(seen) > 5
    assert max(seen) <= 0.03


def test_jobs_take_turns_and_a_cancelled_one_makes_room(slow: str) -> None:
    first, second, third = (Job([slow, str(steps)], nothing) for steps in (1000, 1001, 2))
    assert third.before == 2
    second.cancel()
    assert third.before == 1
    first.cancel()
    wait(third)
    assert third.result == "2"
    for job in (first, second):
        assert job.done
        assert job.result is None
        assert job.problem == ""


def test_what_is_known_by_then_is_not_computed_again(slow: str) -> None:
    job = Job([slow, "100000"], lambda: "known")
    wait(job)
    assert job.result == "known"


def test_a_command_that_fails_says_why() -> None:
    job = Job(["core.ablation", "no/such/folder", ""], nothing)
    wait(job)
    assert job.result is None
    assert "model.keras" in job.problem


def test_the_line_is_bounded(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_WAITING", 2)
    waiting = [Job([slow, "1000"], nothing) for _ in range(2)]
    with pytest.raises(TooManyJobs):
        Job([slow, "1"], nothing)
    for job in waiting:
        job.cancel()
