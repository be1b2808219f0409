"""Measure the recipes: how soon the tutorial's accuracy is reached, and how good they end.

    python -m benchmarks.training fast     time of `fast` over that of `tutorial`, three seeds
    python -m benchmarks.training tuned    test accuracy of a recipe, three seeds

A training's time is that of its epochs up to the one after which the network reaches the tutorial's
test accuracy, or of all where it never does; evaluation is left out. Each seed trains both, one
after the other, in one process, so a slow or busy machine slows both.
"""

from __future__ import annotations

import argparse
import dataclasses
from statistics import mean, median, stdev

import numpy as np

from benchmarks.table import table
from core.command_line.progress import ProgressBar
from core.dataset import Split, load_split, to_input
from core.training.fitting import Fitted, fit, fit_teacher
from core.training.recipes import RECIPES, Recipe

TUTORIAL_ACCURACY = 0.9036


def main() -> None:
    """Run one of the two benchmarks and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("recipe", choices=[name for name in RECIPES if name != "tutorial"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    recipe = RECIPES[args.recipe]
    train, test = load_split("train"), load_split("test")
    if recipe.name == "fast":
        time_to_accuracy(recipe, args.seeds, train, test)
    else:
        final_accuracy(recipe, args.seeds, train, test)


def time_to_accuracy(recipe: Recipe, seeds: list[int], train: Split, test: Split) -> None:
    """Seconds to the tutorial's test accuracy, beside the tutorial's own."""
    rows, ratios = [], []
    for seed in seeds:
        seconds, cells = [], []
        for name in ("tutorial", recipe.name):
            fitted = _fit(RECIPES[name], seed, train, test)
            spent, reached = _time(fitted)
            seconds.append(spent)
            final = fitted.history[-1]["test_accuracy"]
            when = f"after epoch {reached}" if reached else "never"
            cells += [f"{spent:.0f} s", when, f"{final:.4f}"]
        ratios.append(seconds[1] / seconds[0])
        rows.append([str(seed), *cells, f"{ratios[-1]:.2f}"])
    header = ["seed"]
    for name in ("tutorial", recipe.name):
        header += [name, f"{TUTORIAL_ACCURACY:.2%}", "at the end"]
    print(table([*header, "ratio"], rows))
    print(f"median ratio {median(ratios):.2f}")


def final_accuracy(recipe: Recipe, seeds: list[int], train: Split, test: Split) -> None:
    """Test accuracy after the last epoch of a training on all training images."""
    images = to_input(test.images)
    accuracies = []
    for seed in seeds:
        model = _fit(recipe, seed, train, None).model
        predictions = model.predict(images, batch_size=256, verbose=0).argmax(axis=1)
        accuracies.append(float(np.mean(predictions == test.labels)))
        print(f"{recipe.name}, seed {seed}: test accuracy {accuracies[-1]:.4f}", flush=True)
    if len(accuracies) > 1:
        print(
            f"mean {mean(accuracies):.4f}, standard deviation {stdev(accuracies):.4f}, "
            f"{min(accuracies):.4f} to {max(accuracies):.4f}"
        )


def _fit(recipe: Recipe, seed: int, train: Split, test: Split | None) -> Fitted:
    recipe = dataclasses.replace(recipe, seed=seed)
    with ProgressBar() as bar:

        def progress(share: float, words: str) -> None:
            bar(share, f"{recipe.name}, seed {seed}: {words}")

        teacher = None
        if recipe.teacher:
            teacher = fit_teacher(recipe, train, progress=progress)
        return fit(recipe, train, teacher=teacher, test=test, progress=progress)


def _time(fitted: Fitted) -> tuple[float, int | None]:
    """Seconds of training until the accuracy is reached, and after which epoch that is."""
    spent = 0.0
    for row in fitted.history:
        spent += row["seconds"]
        if row["test_accuracy"] >= TUTORIAL_ACCURACY:
            return spent, int(row["epoch"])
    return spent, None


if __name__ == "__main__":
    main()
