"""Many browsers at once: a class that reloads together, and visits that end before they began."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Barrier

import pytest

from tests.harness.server import APP, Server
from tests.harness.visitor import PAGES, Visitor, active_sessions, settled_memory, wait_until

CLASS = 50
VISITS = 2000
WARM_UP = 200
AT_ONCE = 16
# Seconds for which a session waits for its browser to come back; 120 by default.
KEPT = 1


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(APP, env={"STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": str(KEPT)}) as server:
        yield server


def test_a_class_that_reloads_at_once_is_served(server: Server) -> None:
    everyone = Barrier(CLASS)

    def sit(seat: int) -> float:
        page = PAGES[seat % len(PAGES)]
        with Visitor(server.url) as before:
            before.open(f"{page}?image={seat}")
            everyone.wait()
        # As a browser does on reload: a new connection, the address as it was.
        with Visitor(server.url) as after:
            latency = after.open(f"{page}?image={seat}").latency
            assert after.shows(f"test image {seat}, ") or page == "dataset_gallery"
        return latency

    with ThreadPoolExecutor(CLASS) as students:
        latencies = sorted(students.map(sit, range(CLASS)))
    print(f"served after {median(latencies):.2f} s, the last one after {latencies[-1]:.2f} s")
    wait_until(lambda: active_sessions(server) == 0)
    assert "Traceback" not in server.log()


def visit_briefly(server: Server, number: int) -> None:
    """Half leave as soon as they are connected, most others while their first page is made."""
    with Visitor(server.url) as visitor:
        if number % 20 == 0:
            visitor.open(PAGES[number // 20 % len(PAGES)])
        elif number % 2:
            visitor.ask()
            visitor.hear()


def test_visits_that_break_off_leave_nothing_behind(server: Server) -> None:
    with ThreadPoolExecutor(AT_ONCE) as browsers:
        list(browsers.map(lambda number: visit_briefly(server, number), range(WARM_UP)))
        before = settled_memory(server, KEPT)
        list(browsers.map(lambda number: visit_briefly(server, number), range(VISITS)))
        after = settled_memory(server, KEPT)
    print(f"{before:.0f} MB before, {after:.0f} MB after {VISITS} visits")
    assert active_sessions(server) == 0
    assert after < 1.1 * before
    assert "Traceback" not in server.log()
