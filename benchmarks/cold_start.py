"""Measure how soon a fresh process shows its first page, and the memory that all pages take.

`python -m benchmarks.cold_start [--quick]`
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.table import machine, table
from tests.harness.server import APP, Server
from tests.harness.student import Student

PAGES = (
    "/",
    "/dataset_gallery",
    "/model_training",
    "/filter_explorer",
    "/class_comparison",
    "/ablation",
    "/embedding",
)
MAX_SECONDS = 2.0
MAX_MEGABYTES = 350.0


@dataclass
class Start:
    """Time and memory of one fresh process."""

    healthy: float
    first_join: float
    second_join: float
    megabytes: float
    has_tensorflow: bool

    @property
    def first_page(self) -> float:
        """Seconds from the start of the process until the first page was complete."""
        return self.healthy + self.first_join


def start() -> Start:
    """Start the app, let one student open the first page, and another one every page."""
    with Server(APP) as server:
        joins = []
        for pages in (PAGES[:1], PAGES):
            begun = time.perf_counter()
            with Student(server.url) as student:
                student.open(pages[0])
                joins.append(time.perf_counter() - begun)
                for page in pages[1:]:
                    student.open(page)
        first, second = joins
        megabytes, tensorflow = server.memory_mb(), server.has_tensorflow()
        return Start(server.start_seconds, first, second, megabytes, tensorflow)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats, to see that it works")
    starts = [start() for _ in range(2 if parser.parse_args().quick else 7)]

    def row(name: str, values: list[float], unit: str, bound: str = "") -> list[str]:
        return [name, *(f"{f(values):.2f} {unit}" for f in (median, min, max)), bound]

    memory = [each.megabytes for each in starts]
    seconds, megabytes = f"{MAX_SECONDS:.0f} s", f"{MAX_MEGABYTES:.0f} MB"
    with_tensorflow = sum(each.has_tensorflow for each in starts)
    print(machine())
    print(
        table(
            [f"{len(starts)} fresh processes", "median", "least", "most", "bound"],
            [
                row("start until healthy", [each.healthy for each in starts], "s", seconds),
                row("first student joins", [each.first_join for each in starts], "s"),
                row("start until first page", [each.first_page for each in starts], "s", seconds),
                row("second student joins", [each.second_join for each in starts], "s"),
                row("memory, all pages shown", memory, "MB", megabytes),
                ["TensorFlow in the process", f"{with_tensorflow} of {len(starts)}", "", "", "0"],
            ],
        )
    )


if __name__ == "__main__":
    main()
