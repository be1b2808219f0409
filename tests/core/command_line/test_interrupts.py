"""Signals become exceptions, wait while they are held back, and stay ignored if they were."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

from core.command_line.interrupts import (
    SIGNALS,
    Interrupted,
    Interrupts,
    deferred_signals,
    status_of,
)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Begin with handlers that raise, and put the earlier ones back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_raises_and_gives_the_exit_status_of_a_shell(number: signal.Signals) -> None:
    with pytest.raises(Interrupted) as caught, Interrupts():
        signal.raise_signal(number)
    assert status_of(caught.value) == 128 + number
    assert signal.getsignal(number) is signal.default_int_handler


def test_a_plain_keyboard_interrupt_counts_as_sigint() -> None:
    assert status_of(KeyboardInterrupt()) == 130


def test_a_swallowed_signal_is_raised_by_the_next_check() -> None:
    with Interrupts() as interrupts:
        interrupts.check()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted):
            interrupts.check()


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts, deferred_signals():
        signal.raise_signal(signal.SIGINT)
    interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def hold(done: list[str]) -> None:
    with deferred_signals():
        signal.raise_signal(signal.SIGINT)
        done.append("all of the block")
    done.append("what follows")


def test_a_signal_that_is_held_back_arrives_after_the_block() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        hold(done)
    assert done == ["all of the block"]


def test_other_threads_leave_the_handlers_alone() -> None:
    seen = []

    def work() -> None:
        with Interrupts(), deferred_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
