"""Exact counts of visitors who leave, who lose their connection, and who want the same."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.server import APP, Server
from tests.harness.visitor import Visitor, active_sessions, wait_until

COUNTED = "Counted over all 10,000 test images."
LEAVING = 6


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(APP) as server:
        yield server


def counts(server: Server) -> dict[int, str]:
    """The counts that are computed now: process id, and which filters are off."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = re.search(r"^PPid:\s*(\d+)", (process / "status").read_text(), re.MULTILINE)
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        if parent and int(parent[1]) == server._process.pid and "core.ablation" in words:
            found[int(process.name)] = words[-2]  # the last argument; a \0 ends it
    return found


def is_counting(visitor: Visitor) -> bool:
    """Whether the page shows how far a count is, and a button that cancels it."""
    keys = visitor.keys()
    return "cancel_count" in keys


def start(visitor: Visitor, off: str) -> None:
    visitor.open(f"ablation?model=tutorial&off={off}")
    visitor.change("count_all")
    assert is_counting(visitor)


def wait_for_result(visitor: Visitor) -> None:
    """Runs the page again and again, as its browser does while a count goes on."""

    def has_result() -> bool:
        visitor.go()
        return visitor.shows(COUNTED)

    wait_until(has_result)


def hold(server: Server) -> dict[int, str]:
    """Stop the process that counts, so that it cannot finish by itself, and return it."""
    wait_until(lambda: counts(server))
    now = counts(server)
    for process in now:
        os.kill(process, signal.SIGSTOP)
    return now


def go_on(processes: dict[int, str]) -> None:
    """Let processes that were held count on."""
    for process in processes:
        os.kill(process, signal.SIGCONT)


def test_counts_of_visitors_who_left_end_or_never_start(server: Server) -> None:
    last = "conv_layer_3:5,63"
    with ExitStack() as leaving, Visitor(server.url) as remaining:
        start(leaving.enter_context(Visitor(server.url)), "conv_layer_1:0,63")
        first = set(hold(server).values())
        for index in range(1, LEAVING):
            start(leaving.enter_context(Visitor(server.url)), f"conv_layer_1:{index},63")
        start(remaining, last)
        assert set(counts(server).values()) == first
        leaving.close()  # the first one goes last
        seen = set[str]()

        def is_next() -> bool:
            seen.update(counts(server).values())
            return last in seen

        wait_until(is_next)
        assert seen <= first | {last}
        wait_for_result(remaining)
        assert counts(server) == {}
    assert "Traceback" not in server.log()


def test_a_broken_connection_keeps_its_count(server: Server) -> None:
    with Visitor(server.url) as visitor:
        start(visitor, "conv_layer_1:3,63")
        process = hold(server)
        visitor.vanish()
        wait_until(lambda: active_sessions(server) == 0)
        visitor.reconnect()
        visitor.go()
        assert is_counting(visitor)
        assert counts(server) == process
        go_on(process)
        wait_for_result(visitor)


def test_a_count_that_ended_during_a_break_starts_again(server: Server) -> None:
    with Visitor(server.url) as visitor:
        start(visitor, "conv_layer_1:3,63")
        process = hold(server)
        visitor.vanish()
        wait_until(lambda: not counts(server))
        visitor.reconnect()
        visitor.go()
        assert is_counting(visitor)
        wait_until(lambda: counts(server))
        assert counts(server).keys().isdisjoint(process)
        wait_for_result(visitor)


def test_a_count_that_several_want_is_computed_once(server: Server) -> None:
    with Visitor(server.url) as first, Visitor(server.url) as last:
        start(first, "conv_layer_1:3,63")
        process = hold(server)
        start(last, "conv_layer_1:3,63")
        first.close()
        go_on(process)
        seen = dict[int, str]()

        def has_result() -> bool:
            last.go()
            seen.update(counts(server))
            return last.shows(COUNTED)

        wait_until(has_result)
        assert seen in (process, {})
        assert counts(server) == {}
