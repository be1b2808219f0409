"""Measure how long each stage of `python -m core.insights` takes.

    python -m benchmarks.insights

All figures are of one run over the 10,000 test images, with the shipped tutorial network and its
checkpoints; nothing is written. Forward passes of the same images, with one BLAS thread, are timed
before and after it: their mean is the unit of the ratios. Seconds vary with the machine and with
what else it does, ratios less. The CPU time counts all threads.
"""

from __future__ import annotations

import re
import time
from itertools import pairwise

from threadpoolctl import threadpool_limits

from benchmarks.table import machine, table
from core.dataset import load_split, to_input
from core.models.model_folder import MODELS_DIR, ModelFolder

MAX_FORWARD_PASSES = 50  # for the whole run, in CPU time


class Stopwatch:
    """A `Progress` that adds up the seconds between the calls by their words."""

    def __init__(self) -> None:
        """Start with no call."""
        self._calls: list[tuple[float, float, str]] = []

    def __call__(self, _share: float, words: str) -> None:
        """Note the time at which a stage begins or goes on."""
        self._calls.append((time.perf_counter(), time.process_time(), words))

    def stages(self) -> dict[str, tuple[float, float]]:
        """Return the wall and CPU seconds of each stage, in the order of the stages."""
        found: dict[str, tuple[float, float]] = {}
        for (wall, cpu, words), (next_wall, next_cpu, _) in pairwise(self._calls):
            stage = words.removeprefix("insights: ")
            if re.match(r"[\d,]+ of ", stage):
                stage = "pass over the images, filters off"
            before = found.get(stage, (0.0, 0.0))
            found[stage] = before[0] + next_wall - wall, before[1] + next_cpu - cpu
        return found


def main() -> None:
    """Print the figures."""
    folder, split = ModelFolder(MODELS_DIR / "tutorial"), load_split("test")
    network, images = folder.read().network(), to_input(split.images)

    def forward_seconds() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        with threadpool_limits(limits=1, user_api="blas"):
            network.predict(images)
        return time.perf_counter() - wall, time.process_time() - cpu

    forward_seconds()  # to warm up
    before, stopwatch = forward_seconds(), Stopwatch()
    folder.read().measure(split, stopwatch)
    after = forward_seconds()
    unit_wall, unit_cpu = ((one + other) / 2 for one, other in zip(before, after, strict=True))
    stages = stopwatch.stages()
    walls, cpus = zip(*stages.values(), strict=True)
    figures = {"forward pass": (unit_wall, unit_cpu), **stages, "all": (sum(walls), sum(cpus))}
    rows = [
        (stage, f"{wall:.1f} s", f"{cpu:.1f} s", f"{wall / unit_wall:.1f}", f"{cpu / unit_cpu:.1f}")
        for stage, (wall, cpu) in figures.items()
    ]
    print(machine())
    print(table(("10,000 images", "wall", "CPU", "forward passes", "in CPU time"), rows))
    print(f"asked: at most {MAX_FORWARD_PASSES} forward passes in CPU time for all")


if __name__ == "__main__":
    main()
