"""A lecture: many students join at once and then move about, on one server process.

    python -m benchmarks.lecture [--students 200 ...] [--seconds 60] [--new-browsers]
                                 [--csv FILE] [--plot FILE] [--no-peer]

A lecturer has looked at each page before. All join within 2 s, on mixed pages and deep links, with
both models. Then each moves every 3 s on average: filters most often, also images, layers, pages,
epochs and switched-off filters; now and then one reloads the page, or vanishes without closing the
connection and comes back. Latencies are from the message sent, or the connection asked for, to the
page complete, as `tests.harness.student` sees them. The students run in processes of their own on
the same machine, so they take CPU time from the server; what the server took is printed beside.

Most parts of the app show another filter in the browser alone, and tell the server before their
student turns to something else. Such moves take no time and count in no latency; the telling does.

Then a few students do the same with the peer, the direct port of the tutorial, for the ratio.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from websocket import WebSocketException

from benchmarks.new_browser import files_of_first_visits
from benchmarks.student_moves import ADDRESSES, IN_BROWSER, next_moves
from benchmarks.table import machine, table
from tests.harness.server import APP, PEER, Server
from tests.harness.student import PageError, Student, load_files

JOIN_WITHIN = 2.0  # seconds
PAUSE = 3.0  # seconds between a student's moves, on average
RELOADS, VANISHES = 0.02, 0.01  # shares of the moves
PROCESSES = 4
PEER_STUDENTS, PEER_SECONDS = 3, 30.0
_START_TIMEOUT = 60.0

MOST_JOIN_P95, MOST_MOVE_P50, MOST_MOVE_P95 = 1.5, 0.06, 0.4  # seconds
MOST_MEGABYTES = 500.0
MOST_GROWTH = 1.05  # of the memory, from the third minute to the last


class Taken(NamedTuple):
    """An action of a student, and its latency."""

    what: str
    at: float
    """Seconds after the first could join."""
    seconds: float
    """Until the page was complete."""
    problem: str
    """"error" for a page that shows one, "lost" for a connection that broke; else empty."""


class Load(NamedTuple):
    """CPU and memory of the server's process in one second."""

    cpu: float
    """A share of a core."""
    memory: float
    """In MB, at the second's end."""


@dataclass(frozen=True)
class Lecture:
    """Measurements of one simulated lecture."""

    students: int
    taken: list[Taken]
    load: list[Load]
    """In each second, from the moment when the first could join."""

    @property
    def seconds(self) -> int:
        """Return the length of the lecture."""
        return len(self.load)

    @property
    def cpu(self) -> float:
        """Seconds of CPU time that the server's process took."""
        return sum(each.cpu for each in self.load)

    @property
    def memory(self) -> list[float]:
        """The server's, in MB, at the end of each second."""
        return [each.memory for each in self.load]

    def quantiles(self, what: Sequence[str]) -> list[float]:
        """The median, 95th and 99th percentile in seconds; NaN where there was nothing."""
        fine = [each.seconds for each in self.taken if each.what in what and not each.problem]
        return np.quantile(fine, (0.5, 0.95, 0.99)).tolist() if fine else [np.nan] * 3

    def problems(self, problem: str, what: Sequence[str]) -> int:
        """Return the number of actions with a problem."""
        return sum(each.problem == problem and each.what in what for each in self.taken)

    @property
    def kinds(self) -> dict[str, list[str]]:
        """Groups of what was done, by name."""
        every = sorted({each.what for each in self.taken})
        moves = [what for what in every if what not in ("join", IN_BROWSER)]
        groups = {"join": ["join"], "all moves": moves}
        return groups | {what: [what] for what in every if what not in groups}


class Seat:
    """One student, from joining to the end of the lecture."""

    def __init__(self, url: str, seed: int, address: str, files: Sequence[str]) -> None:
        """Take a seat, with a browser that lacks these files of the server."""
        self.taken: list[Taken] = []
        self._url, self._address, self._files = url, address, files
        self._rng = random.Random(seed)
        self._what = "join"

    def attend(self, begin: float, end: float) -> None:
        """Stay until the end, or until something breaks; both are times of day."""
        self._begin, self._end = begin, end
        time.sleep(max(self._begin + self._rng.uniform(0, JOIN_WITHIN) - time.time(), 0))
        started = time.time()
        try:
            while self._visit():
                started = time.time()
        except (PageError, WebSocketException, OSError) as error:
            print(f"{self._what}: {error!r}")
            self._note(started, "error" if isinstance(error, PageError) else "lost")

    def _visit(self) -> bool:
        """Open the page and move about; tell whether the student comes back after that."""
        started = time.time()
        load_files(self._url, self._files)
        self._files = ()
        with Student(self._url) as student:
            student.open(self._address)
            self._note(started)
            while (pause := self._rng.expovariate(1 / PAUSE)) < self._end - time.time():
                time.sleep(pause)
                student.answer_pings()
                self._address = student.address
                chance = self._rng.random()
                if chance < RELOADS + VANISHES:
                    self._what = "reload" if chance < RELOADS else "return"
                    if self._what == "return":
                        student.vanish()
                    return True
                for what, do in next_moves(student, self._rng):
                    self._what, started = what, time.time()
                    do()
                    self._note(started)
        return False

    def _note(self, started: float, problem: str = "") -> None:
        self.taken.append(Taken(self._what, started - self._begin, time.time() - started, problem))


def row_of_seats(
    seats: Sequence[Seat], seconds: float, ready: Barrier, results: Queue[list[Taken]]
) -> None:
    """Some of the students, in a process of their own."""
    ready.wait(_START_TIMEOUT)
    begin = time.time()
    end = begin + JOIN_WITHIN + seconds
    threads = [threading.Thread(target=seat.attend, args=(begin, end)) for seat in seats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put([taken for seat in seats for taken in seat.taken])


def lecture(
    server: Server,
    students: int,
    seconds: float,
    addresses: Sequence[str],
    new_browsers: bool = False,
) -> Lecture:
    """Let so many students join the server and move about for so long."""
    for address in addresses:  # what is loaded only once, the lecturer has waited for
        with Student(server.url) as lecturer:
            lecturer.open(address)
    context = multiprocessing.get_context("spawn")
    results: Queue[list[Taken]] = context.Queue()
    files = files_of_first_visits(server.url, addresses) if new_browsers else {}
    starts = [addresses[seed % len(addresses)] for seed in range(students)]
    seats = [
        Seat(server.url, seed, start, files.get(start, ())) for seed, start in enumerate(starts)
    ]
    # Their imports take two cores some seconds, which must not be those in which all join.
    ready = context.Barrier(PROCESSES + 1)
    rows = [
        context.Process(
            target=row_of_seats, args=(seats[first::PROCESSES], seconds, ready, results)
        )
        for first in range(PROCESSES)
    ]
    for row in rows:
        row.start()
    ready.wait(_START_TIMEOUT)
    begin, cpu, load = time.time(), server.cpu_seconds(), []
    for second in range(1, round(JOIN_WITHIN + seconds) + 1):
        time.sleep(max(begin + second - time.time(), 0))
        before, cpu = cpu, server.cpu_seconds()
        load.append(Load(cpu - before, server.memory_mb()))
    taken = [each for _ in rows for each in results.get(timeout=300)]
    for row in rows:
        row.join()
    return Lecture(students, taken, load)


def latencies(found: Lecture) -> str:
    """A line for joining, for each kind of move, and for all moves together."""
    rows = []
    for name, what in found.kinds.items():
        count = sum(each.what in what for each in found.taken)
        problems = [str(found.problems(problem, what)) for problem in ("error", "lost")]
        quantiles = [f"{1e3 * quantile:.0f} ms" for quantile in found.quantiles(what)]
        rows.append([name, str(count), *quantiles, *problems])
    header = [f"{found.students} students", "n", "p50", "p95", "p99", "errors", "lost"]
    return table(header, rows)


def bounds(found: Lecture) -> str:
    """Return the bounds, and whether each holds."""
    every = [each for kinds in found.kinds.values() for each in kinds]
    median, p95, _ = found.quantiles(found.kinds["all moves"])
    asked = [
        ("join, p95", found.quantiles(["join"])[1], MOST_JOIN_P95, "s"),
        ("move, p50", median, MOST_MOVE_P50, "s"),
        ("move, p95", p95, MOST_MOVE_P95, "s"),
        ("errors", found.problems("error", every), 0, ""),
        ("lost sessions", found.problems("lost", every), 0, ""),
        ("memory at most", max(found.memory), MOST_MEGABYTES, "MB"),
    ]
    if found.seconds > 240:
        growth = np.mean(found.memory[-60:]) / np.mean(found.memory[120:180])
        asked.append(("memory, last minute / third", float(growth), MOST_GROWTH, ""))
    return table(
        ["", "found", "asked", ""],
        [
            [name, f"{value:.3g} {unit}", f"{most:.3g} {unit}", "holds" if value <= most else "NO"]
            for name, value, most, unit in asked
        ],
    )


def plot(found: Lecture, file: Path) -> None:
    """Draw the latencies, and the server's CPU and memory, over time."""
    figure = Figure(figsize=(9, 8), layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    for name, what in found.kinds.items():
        if name not in ("all moves", IN_BROWSER):
            fine = [each for each in found.taken if each.what in what and not each.problem]
            above.plot([each.at for each in fine], [each.seconds for each in fine], ".", label=name)
    for most, style in ((MOST_MOVE_P50, ":"), (MOST_MOVE_P95, "--")):
        above.axhline(most, color="#888", linestyle=style)
    above.set(yscale="log", ylabel="seconds until the page is complete")
    above.legend(ncols=5, fontsize=8)
    seconds = np.arange(1, found.seconds + 1)
    middle.plot(seconds, [100 * each.cpu for each in found.load])
    middle.set(ylabel="server's CPU,\n% of a core", ylim=(0, None))
    below.plot(seconds, found.memory)
    below.axhline(MOST_MEGABYTES, color="#888", linestyle="--")
    below.set(xlabel="seconds", ylabel="server's memory\nin MB", ylim=(0, None))
    figure.suptitle(f"{found.students} students")
    figure.savefig(file, dpi=120)


def write_csv(found: Lecture, file: Path) -> None:
    """Write all that was done, a line each, and beside it what each second took of the server."""
    loads = [(second, *each) for second, each in enumerate(found.load, 1)]
    for path, header, rows in (
        (file, Taken._fields, found.taken),
        (file.with_stem(f"{file.stem}_server"), ("second", *Load._fields), loads),
    ):
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])


def for_size(file: Path, students: int, sizes: Sequence[int]) -> Path:
    """A file of its own for each size of class."""
    return file if len(sizes) == 1 else file.with_stem(f"{file.stem}_{students}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--students", type=int, nargs="+", default=[200])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--new-browsers",
        action="store_true",
        help="they have never opened the app, and fetch Streamlit's files first; needs Chromium",
    )
    parser.add_argument(
        "--csv",
        type=Path,
        help="also write all that was done to this file, and the server's load beside it",
    )
    parser.add_argument("--plot", type=Path, help="also draw it, to this PNG file")
    parser.add_argument("--no-peer", action="store_true", help="leave the direct port out")
    options = parser.parse_args()
    print(machine())
    for students in options.students:
        with Server(APP) as server:
            found = lecture(server, students, options.seconds, ADDRESSES, options.new_browsers)
        if options.csv:
            write_csv(found, for_size(options.csv, students, options.students))
        if options.plot:
            plot(found, for_size(options.plot, students, options.students))
        print(f"\n{latencies(found)}\n\n{bounds(found)}")
        print(f"the server's CPU: {found.cpu / found.seconds:.0%} of a core")
    if not options.no_peer:
        with Server(PEER, configured=False) as server:
            peer = lecture(server, PEER_STUDENTS, PEER_SECONDS, ["/"])
        print(f"\nthe peer\n{latencies(peer)}")
        a_run = [each.cpu / len(each.taken) for each in (peer, found)]
        print(f"CPU for each thing done: {a_run[0] / a_run[1]:.0f} times that of the app")


if __name__ == "__main__":
    main()
