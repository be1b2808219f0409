"""Replicas fail, are drained and come back; a hundred students stay where they were."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.deploy.conftest import StartSite
from tests.deploy.student import ReturningStudent
from tests.harness.site import Site

# In CI two cores do all of this, and another test beside it.
STUDENTS = 50 if os.environ.get("CI") else 100
JOIN_WITHIN = 5.0  # seconds
BACK_WITHIN = 5.0
LAYERS = ("conv_layer_1", "pool_layer_2", "conv_layer_3", "pool_layer_4")


@dataclass
class Seat:
    """A student and what they look at; each looks at something else."""

    student: ReturningStudent
    image: int
    layer: str
    filter: int

    def check(self) -> None:
        """The view is the student's own, in the server's words and in the address."""
        student = self.student
        assert student.shows(f"test image {self.image}, ")
        sheet = student.data("sheet")
        assert sheet["layer"] == self.layer
        assert sheet["choice"] == {"filter": self.filter, "row": None, "col": None}
        query = {"image": str(self.image), "filter": str(self.filter)}
        if self.layer != LAYERS[0]:  # a default stays out of the address
            query["layer"] = self.layer
        assert student.query == query

    def tell(self) -> None:
        """The browser lets the server know of the filter, over the connection that is there."""
        self.student.choose("sheet", filter=str(self.filter))
        self.check()

    def move(self) -> None:
        """A filter further on, of which the server hears."""
        self.filter = self.filter % 62 + 1
        self.tell()


class Lecture:
    """All students, who act at the same time."""

    def __init__(self, site: Site, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._seats = list(pool.map(lambda number: _join(site, number), range(STUDENTS)))

    def all_move(self) -> None:
        list(self._pool.map(Seat.move, self._seats))

    def on(self, replica: str) -> list[Seat]:
        """Who has their session there."""
        return [seat for seat in self._seats if seat.student.replica == replica]

    def asked(self) -> list[str]:
        """For each student, the replica that answers what they fetch."""
        return list(self._pool.map(lambda seat: seat.student.asks(), self._seats))

    def strays(self) -> list[Seat]:
        """Whose files are asked of another replica than the one that holds their session."""
        together = zip(self._seats, self.asked(), strict=True)
        return [seat for seat, replica in together if replica != seat.student.replica]

    def lose(self, replica: str, end: Callable[[str], None]) -> float:
        """Ends a replica; returns the seconds until the last of its students was served again."""
        began = time.monotonic()

        def wait(seat: Seat) -> float:
            seat.student.wait_for_loss()
            seat.student.come_back()
            took = time.monotonic() - began
            assert seat.student.replica != replica
            assert seat.student.refusals == []  # nginx had asked another one by itself
            seat.check()
            return took

        returning = [self._pool.submit(wait, seat) for seat in self.on(replica)]
        end(replica)
        return max(each.result() for each in returning)

    def leave(self) -> None:
        for seat in self._seats:
            seat.student.close()


def _join(site: Site, number: int) -> Seat:
    time.sleep(JOIN_WITHIN * number / STUDENTS)
    seat = Seat(
        ReturningStudent(site.url), 37 * number + 1, LAYERS[number % len(LAYERS)], number % 62 + 1
    )
    seat.student.open("/filter_explorer")
    seat.student.change("image", float(seat.image))
    if seat.layer != LAYERS[0]:
        seat.student.change("layer", seat.layer)
    seat.tell()
    return seat


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(STUDENTS) as threads:
        yield threads


def test_a_lecture_outlives_its_replicas(start_site: StartSite, pool: ThreadPoolExecutor) -> None:
    site = start_site(3)
    lecture = Lecture(site, pool)
    failing, drained, _ = site.replicas

    # All share an address, yet they spread out.
    assert all(lecture.on(replica) for replica in site.replicas)
    assert lecture.strays() == []

    # One fails. nginx asks the same other one for a student's files and for the session.
    took = {"killed": lecture.lose(failing, site.kill)}
    assert lecture.strays() == []
    lecture.all_move()

    # Another one takes its place; nobody is cut off when nginx hears of it.
    site.start()
    site.reload()
    lecture.all_move()

    # One is drained: nobody new comes, and whoever is there stays until it stops.
    site.reload(down=[drained])
    lecture.all_move()
    assert lecture.on(drained)
    assert drained not in lecture.asked()
    took["stopped"] = lecture.lose(drained, site.stop)
    lecture.all_move()
    site.start()
    site.reload()
    lecture.all_move()
    lecture.leave()

    print(took)
    assert max(took.values()) < BACK_WITHIN
