"""Commands in a process of their own: their results, their order, who shares them, their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server import jobs
from server.jobs import Job, TooManyJobs

# Writes its process id to the file `started`, below its own name, then works until the file that
# its argument names exists.
COMMAND = """
import json, os, sys, time
from pathlib import Path
folder, name = Path(__file__).parent, sys.argv[1]
with (folder / "started").open("a") as started:
    print(name, os.getpid(), file=started)
print(json.dumps({"progress": 0.25}), flush=True)
while not (folder / name).exists():
    time.sleep(0.01)
print("a word of warning")
print(json.dumps({"result": name}))
"""


def ignore(_result: object) -> None:
    """Keep no result."""


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


class Commands:
    """Starts jobs of a command that works until it is told to finish."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "slow_command.py").write_text(COMMAND)
        (folder / "started").touch()

    def want(self, name: str, keep: Callable[[object], None] = ignore) -> Job:
        return Job(name, ["slow_command", name], keep)

    def finish(self, *names: str) -> None:
        for name in names:
            (self._folder / name).touch()

    def started(self) -> list[str]:
        """Names of the commands that were started, in order."""
        return [line.split()[0] for line in (self._folder / "started").read_text().splitlines()]

    def is_alive(self, name: str) -> bool:
        """Whether the process of a command that was started is there."""
        lines = (self._folder / "started").read_text().splitlines()
        (pid,) = [line.split()[1] for line in lines if line.split()[0] == name]
        return Path(f"/proc/{pid}").exists()


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield Commands(tmp_path)
    for run in list(jobs._runs.values()):
        for job in list(run.wanted_by):
            job.cancel()


def test_a_job_says_how_far_it_is_and_what_came_out(commands: Commands) -> None:
    job = commands.want("a")
    assert not job.done
    wait_until(lambda: job.progress == 0.25)
    commands.finish("a")
    wait_until(lambda: job.done)
    assert (job.result, job.problem) == ("a", "")


def test_a_result_is_kept_before_the_job_is_done(commands: Commands) -> None:
    kept: list[tuple[object, bool]] = []
    job = commands.want("a", lambda result: kept.append((result, job.done)))
    commands.finish("a")
    wait_until(lambda: job.done)
    assert kept == [("a", False)]


def test_jobs_take_turns_in_the_order_in_which_they_came(commands: Commands) -> None:
    first, second, third = map(commands.want, "abc")
    assert [job.before for job in (first, second, third)] == [0, 1, 2]
    wait_until(lambda: commands.started() == ["a"])
    commands.finish("a", "b", "c")
    wait_until(lambda: third.done)
    assert commands.started() == ["a", "b", "c"]
    assert [job.result for job in (first, second, third)] == ["a", "b", "c"]


def test_a_cancelled_job_makes_room(commands: Commands) -> None:
    first, second, third = map(commands.want, "abc")
    wait_until(lambda: commands.started() == ["a"])
    second.cancel()
    assert third.before == 1
    first.cancel()
    assert third.before == 0
    commands.finish("c")
    wait_until(lambda: third.done)
    assert commands.started() == ["a", "c"]
    wait_until(lambda: not commands.is_alive("a"))
    for job in (first, second):
        assert job.done
        assert (job.result, job.problem) == (None, "")


def test_a_cancelled_job_leaves_no_thread_in_line(commands: Commands) -> None:
    running = commands.want("a")
    threads = set(threading.enumerate())
    waiting = commands.want("b")
    (thread,) = set(threading.enumerate()) - threads
    waiting.cancel()
    thread.join(30)
    assert not thread.is_alive()
    assert not running.done


def test_who_wants_the_same_shares_one_run(commands: Commands) -> None:
    shared = [commands.want("a") for _ in range(3)]
    wait_until(lambda: {job.progress for job in shared} == {0.25})
    commands.finish("a")
    wait_until(lambda: all(job.done for job in shared))
    assert [job.result for job in shared] == ["a"] * 3
    assert commands.started() == ["a"]


def test_a_shared_run_ends_with_the_last_who_wants_it(commands: Commands) -> None:
    first, last = commands.want("a"), commands.want("a")
    following = commands.want("b")
    wait_until(lambda: commands.started() == ["a"])
    first.cancel()
    assert first.done
    assert (last.done, following.before) == (False, 1)
    assert commands.is_alive("a")
    last.cancel()
    wait_until(lambda: not commands.is_alive("a"))
    wait_until(lambda: commands.started() == ["a", "b"])


def test_what_was_ended_is_run_anew_for_the_next(commands: Commands) -> None:
    commands.want("a").cancel()
    again = commands.want("a")
    commands.finish("a")
    wait_until(lambda: again.done)
    assert again.result == "a"


def test_a_job_that_is_cancelled_for_later_ends_then(commands: Commands) -> None:
    job = commands.want("a")
    wait_until(lambda: commands.started() == ["a"])
    job.cancel(after_s=0.1)
    assert job.cancelled
    wait_until(lambda: not commands.is_alive("a"))
    assert job.done


def test_who_comes_back_in_time_finds_the_run(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    due: list[Callable[[], None]] = []

    class ManualTimer(threading.Timer):
        """A timer whose time comes when the test says so."""

        def start(self) -> None:
            due.append(self.function)

    monkeypatch.setattr(jobs, "Timer", ManualTimer)
    left = commands.want("a")
    wait_until(lambda: commands.started() == ["a"])
    left.cancel(after_s=1)
    back = commands.want("a")
    due.pop()()
    assert left.done
    commands.finish("a")
    wait_until(lambda: back.done)
    assert back.result == "a"
    assert commands.started() == ["a"]


def test_a_result_that_comes_before_the_end_is_there_for_who_comes_back(
    commands: Commands,
) -> None:
    job = commands.want("a")
    job.cancel(after_s=60)
    commands.finish("a")
    wait_until(lambda: job.done)
    assert job.result == "a"


def test_a_command_that_fails_says_why() -> None:
    job = Job("fails", ["core.ablation", "no/such/folder", ""], ignore)
    wait_until(lambda: job.done)
    assert job.result is None
    assert "There is no folder" in job.problem


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_result_that_cannot_be_kept_is_a_problem(commands: Commands) -> None:
    def fail(_result: object) -> None:
        raise KeyError("right")

    job, following = commands.want("a", fail), commands.want("b")
    commands.finish("a", "b")
    wait_until(lambda: following.done)
    assert (job.result, job.problem) == (None, "It ended without a result: please try again.")
    assert following.result == "b"


def test_the_line_is_bounded_but_open_for_the_same(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_WAITING", 2)
    for name in "ab":
        commands.want(name)
    with pytest.raises(TooManyJobs):
        commands.want("c")
    assert commands.want("b").before == 1
