"""Each command ends without a traceback when nobody reads its output any more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.command_line.run import BROKEN_PIPE

ROOT = Path(__file__).parents[3]
COMMANDS = [
    ["core.ablation", "assets/models/tutorial", "", "--json"],
    ["core.ablation", "--help"],
    ["core.dataset", "--help"],
    ["core.doctor"],
    ["core.doctor", "--help"],
    ["core.images"],
    ["core.images", "--help"],
    ["core.insights", "--help"],
    ["core.training", "--list"],
    ["core.training", "--help"],
    ["tools.advisories", "--help"],
]


def commands() -> set[str]:
    """Return what `python -m` runs: packages with a `__main__.py`, and modules that end as one."""
    packages = {path.parent for path in (ROOT / "core").rglob("__main__.py")}
    files = [*(ROOT / "core").glob("*.py"), *(ROOT / "tools").glob("*.py")]
    ends = re.compile(r'^if __name__ == "__main__":\n    run\(\w+\)$', re.M)
    modules = {path.with_suffix("") for path in files if ends.search(path.read_text().rstrip())}
    return {".".join(path.relative_to(ROOT).parts) for path in packages | modules}


def test_no_command_is_left_out() -> None:
    assert {command[0] for command in COMMANDS} == commands()


# Output reaches the pipe at the end of a command, or with each line.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
UNBUFFERED = BUFFERED | {"PYTHONUNBUFFERED": "1"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_has_left_ends_a_command(command: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)  # before the command can write anything
    with os.fdopen(write, "wb") as output:
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=BUFFERED,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.stderr == ""
    assert ended.returncode == BROKEN_PIPE


@pytest.mark.parametrize("environment", [BUFFERED, UNBUFFERED], ids=["buffered", "unbuffered"])
@pytest.mark.skipif(sys.platform == "win32", reason="head and pipefail are a Unix shell's")
def test_the_first_line_can_be_read_alone(environment: dict[str, str]) -> None:
    ended = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m core.doctor | head -n 1'],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    assert ended.stdout.count("\n") == 1


def test_a_reader_of_the_errors_may_leave_too() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as errors:
        ended = subprocess.run(
            [sys.executable, "-m", "core.insights", "no such folder"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
    assert ended.stdout == ""
    assert ended.returncode == BROKEN_PIPE


@pytest.mark.parametrize("command", [["core.doctor"], ["core.training", "--list"]], ids=" ".join)
def test_a_command_may_be_started_without_an_output(command: list[str]) -> None:
    program = f'"{sys.executable}" -m {" ".join(command)} >&-'
    ended = subprocess.run(["sh", "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.stderr == ""
    assert ended.returncode == 0
