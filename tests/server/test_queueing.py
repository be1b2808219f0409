"""What lets a class share one process."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.runtime.app_session import AppSession

from server import queueing, streamlit_patches
from server.queueing import Rank

streamlit_patches.install()


def test_one_computes_and_the_others_wait() -> None:
    done, now, most = [], [], []

    def run(number: int) -> None:
        with (
            queueing.turn(Rank.PAGE),
            queueing.turn(Rank.PAGE),
        ):  # a fragment's inside of its page's
            now.append(number)
            time.sleep(0.01)  # long enough for another to come in, if it could
            most.append(len(now))
            now.remove(number)
        done.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(done) == list(range(8))
    assert max(most) == 1


def test_a_run_that_fails_leaves_its_place() -> None:
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), queueing.turn(Rank.PAGE):
            raise ZeroDivisionError
    free = []
    thread = threading.Thread(target=lambda: free.append(_has_a_turn()))
    thread.start()
    thread.join(10)
    assert free == [True]


def _has_a_turn() -> bool:
    with queueing.turn(Rank.PAGE):
        return True


def test_what_a_run_says_leaves_together_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.new_event_loop()
    session: Any = SimpleNamespace(_event_loop=loop)
    heard: list[int] = []
    failed: list[object] = []
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))

    def say(number: int) -> None:
        AppSession._call_soon_on_event_loop(session, lambda: heard.append(number // (number - 3)))

    def settle() -> list[int]:
        loop.call_soon(loop.stop)
        loop.run_forever()
        return heard

    say(0)  # that a run begins is said before its turn
    with queueing.turn(Rank.PAGE):
        for number in (4, 3, 5):
            say(number)
        assert settle() == [0]
    say(6)
    assert settle() == [0, 4, 2, 2]
    assert [type(error) for error in failed] == [ZeroDivisionError]

    # A run that takes long shows what it has.
    monkeypatch.setattr(queueing, "_LONG", 0.0)
    with queueing.turn(Rank.PAGE):
        say(7)
        time.sleep(0.001)
        say(8)
        assert settle()[-1] == 1
    loop.close()


def test_the_quick_come_first() -> None:
    order: list[Rank] = []
    asked = [Rank.PAGE, Rank.FRAGMENT, Rank.PAGE, Rank.FRAGMENT]

    def run(rank: Rank) -> None:
        with queueing.turn(rank):
            order.append(rank)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in asked]
    with queueing.turn(Rank.PAGE):
        for waiting, thread in enumerate(threads, start=1):
            thread.start()
            while len(queueing._place._waiting) < waiting:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert order == sorted(asked)
