import contextlib
import signal
import time

import pytest

from core.command_line.progress import ProgressBar


def test_bar_in_a_log_writes_a_line_only_now_and_then(capsys):
    with ProgressBar() as bar:
        bar(0, "starting")
        for step in range(1, 101):
            bar(step / 100, "working")
    assert capsys.readouterr().err.splitlines() == [
        f"[{' ' * ProgressBar.WIDTH}]   0%  starting",
        f"[{'#' * ProgressBar.WIDTH}] 100%  working  0:00 left",
    ]


def test_bar_on_a_terminal_stays_on_its_line(capsys, monkeypatch):
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with ProgressBar() as bar:
        bar(0.25, "first")
        bar(0.5, "first")
        bar(0.25, "second")
        bar(0.5, "second")
    nothing, *lines = capsys.readouterr().err.split("\r")
    assert nothing == ""
    assert [line.split("%  ")[1].rstrip() for line in lines] == [
        "first  1:30 left",
        "first  1:00 left",
        "second  0:00 left",
        "second  0:30 left",
    ]
    assert "\n" not in "".join(lines[:-1])
    assert lines[-1].endswith("\n")


@contextlib.contextmanager
def interrupts_go_to(handler):
    # Whatever this process has from who started it: `nohup` and `&` let it ignore them.
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def swallow_an_interrupt(steps):
    with ProgressBar() as bar:
        for step in range(3):
            bar(step / 3, "working")
            steps.append(step)
            with contextlib.suppress(BaseException):
                signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_was_swallowed_is_raised_at_the_next_step():
    steps = []
    with interrupts_go_to(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        swallow_an_interrupt(steps)
    assert steps == [0]


def make_another_error_of_an_interrupt():
    with ProgressBar():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise RuntimeError("a library failed") from error


def test_an_interrupt_of_which_a_library_made_another_error_is_one():
    with interrupts_go_to(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        make_another_error_of_an_interrupt()


def test_another_error_is_left_alone():
    with pytest.raises(RuntimeError), ProgressBar():
        raise RuntimeError("nobody pressed a key")


def test_who_ignores_ctrl_c_goes_on_to():
    steps = []
    with interrupts_go_to(signal.SIG_IGN):
        swallow_an_interrupt(steps)
    assert steps == [0, 1, 2]
