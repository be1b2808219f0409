"""A lecture: many students join at once and then move about, on one server process.

    python -m benchmarks.lecture [--students 200] [--seconds 60] [--csv FILE]

A lecturer has looked at each page before. All join within 2 s, on mixed pages and deep links, with
both models. Then each moves every 3 s on
average: filters most often, also images, layers, pages, epochs and switched-off filters. Latencies
are from the message sent to the page complete, as `benchmarks.student` sees them. The students run
in processes of their own on the same machine, so they take CPU time from the server; what the
server itself took is printed beside.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.server import APP, Server
from benchmarks.student import PageError, Student
from benchmarks.table import machine, table

JOIN_WITHIN = 2.0  # seconds
PAUSE = 3.0  # seconds between a student's moves, on average
PROCESSES = 4
MAX_MEGABYTES = 500.0

LAYERS = ("conv_layer_1", "pool_layer_2", "conv_layer_3", "pool_layer_4")
ADDRESSES = (
    "/",
    "/dataset_gallery",
    "/model_training",
    "/model_training?model=tutorial&true=Shirt&predicted=Coat&epoch=2",
    "/filter_explorer",
    "/filter_explorer?model=tutorial&layer=conv_layer_3&filter=7",
    "/filter_explorer?layer=conv_layer_3&filter=33&panel=top+images",
    "/filter_explorer?filter=3&panel=epochs",
    "/class_comparison?class_a=0&class_b=6",
    "/class_comparison?model=tutorial&class_a=2&class_b=4&layer=conv_layer_3",
    "/ablation?off=conv_layer_1:3",
    "/ablation?model=tutorial&off=conv_layer_3:5,7",
    "/embedding",
    "/embedding?model=tutorial&map=PCA",
)
# Where they go from there, and how often: a class spends its time with the filters.
PAGES = {
    "filter_explorer": 6,
    "class_comparison": 3,
    "": 1,
    "dataset_gallery": 1,
    "model_training": 1,
    "ablation": 1,
    "embedding": 1,
}

Taken = tuple[str, float]
"""What a student did, and the seconds until the page was complete; -1 for a page that broke."""


def move(student: Student, rng: random.Random) -> str:
    """One move, on whatever page the student is; returns what it was."""
    there = set(student.keys())
    (page,) = rng.choices(list(PAGES), list(PAGES.values()))
    moves: list[tuple[int, str, Callable[[], object]]] = [
        (3, "image", lambda: student.change("image", float(rng.randrange(10_000)))),
        # A page without filters is soon seen.
        (1 if "filter" in there else 3, "page", lambda: student.open("/" + page)),
    ]
    if "filter" in there:
        moves.append((14, "filter", lambda: student.change("filter", rng.randrange(64))))
    if "layer" in there:
        moves.append((2, "layer", lambda: student.change("layer", rng.choice(LAYERS))))
    if "off_gives" in there:
        chosen = ",".join(map(str, sorted(rng.sample(range(64), rng.randint(1, 8)))))
        off = f"{rng.choice(('conv_layer_1', 'conv_layer_3'))}:{chosen}"
        moves.append((6, "filters off", lambda: student.go(off=off)))
    if "panel" in there:
        moves.append((1, "epoch", lambda: student.go(epoch=str(rng.choice((0, 2, 3))))))
    weights = [weight for weight, _, _ in moves]
    _, name, do = rng.choices(moves, weights)[0]
    do()
    return name


def attend(url: str, seed: int, begin: float, end: float, taken: list[Taken]) -> None:
    """One student, from joining to the end of the lecture."""
    rng = random.Random(seed)
    time.sleep(max(begin + rng.uniform(0, JOIN_WITHIN) - time.time(), 0))
    what, started = "join", time.perf_counter()
    try:
        with Student(url) as student:
            student.open(ADDRESSES[seed % len(ADDRESSES)])
            taken.append((what, time.perf_counter() - started))
            while (pause := rng.expovariate(1 / PAUSE)) < end - time.time():
                time.sleep(pause)
                started = time.perf_counter()
                what = move(student, rng)
                taken.append((what, time.perf_counter() - started))
    except (PageError, OSError) as error:
        print(f"student {seed}, {what}: {error}")
        taken.append((what, -1.0))


def row_of_seats(
    url: str,
    seeds: Sequence[int],
    begin: float,
    end: float,
    results: multiprocessing.Queue[list[Taken]],
) -> None:
    """Some of the students, in a process of their own."""
    taken: list[Taken] = []
    threads = [
        threading.Thread(target=attend, args=(url, seed, begin, end, taken)) for seed in seeds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(taken)


def prepare(server: Server) -> None:
    """Look at each page once, so that the class does not wait for what is loaded only once."""
    for address in ADDRESSES:
        with Student(server.url) as lecturer:
            lecturer.open(address)


def lecture(server: Server, students: int, seconds: float) -> tuple[list[Taken], list[float]]:
    """What all students did, and the server's memory in MB, each second."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[Taken]] = context.Queue()
    begin = time.time() + 5.0  # the processes start meanwhile
    end = begin + JOIN_WITHIN + seconds
    rows = [
        context.Process(
            target=row_of_seats,
            args=(server.url, range(first, students, PROCESSES), begin, end, results),
        )
        for first in range(PROCESSES)
    ]
    for row in rows:
        row.start()
    memory = []
    while time.time() < end:
        time.sleep(1)
        memory.append(server.memory_mb())
    taken = [each for _ in rows for each in results.get(timeout=120)]
    for row in rows:
        row.join()
    return taken, memory


def summary(taken: Sequence[Taken]) -> list[list[str]]:
    """A line for joining, for each kind of move, and for all moves together."""
    moves = sorted({what for what, _ in taken} - {"join"})
    groups = {"join": ["join"], "all moves": moves} | {what: [what] for what in moves}
    lines = []
    for name, kinds in groups.items():
        seconds = np.array([took for what, took in taken if what in kinds])
        fine = seconds[seconds >= 0]
        quantiles = np.quantile(fine, (0.5, 0.95, 0.99)) if fine.size else np.full(3, np.nan)
        errors = str(int((seconds < 0).sum()))
        lines.append([name, str(len(seconds)), *(f"{1e3 * q:.0f} ms" for q in quantiles), errors])
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--csv", type=Path, help="also write every move to this file")
    options = parser.parse_args()
    with Server(APP) as server:
        prepare(server)
        before = server.cpu_seconds()
        taken, memory = lecture(server, options.students, options.seconds)
        cpu = server.cpu_seconds() - before
    if options.csv:
        with options.csv.open("w", newline="") as stream:
            csv.writer(stream).writerows([("what", "seconds"), *taken])
    print(machine())
    print(
        table([f"{options.students} students", "n", "p50", "p95", "p99", "errors"], summary(taken))
    )
    print(
        f"memory at most {max(memory):.0f} MB (asked: {MAX_MEGABYTES:.0f}), at the end "
        f"{memory[-1]:.0f} MB; server's CPU {cpu / (JOIN_WITHIN + options.seconds):.0%} of a core"
    )


if __name__ == "__main__":
    main()
