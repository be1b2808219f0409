"""Count a model's right answers with filters off, from the command line.

    python -m core.ablation assets/models/tuned "conv_layer_1:3,17;conv_layer_3:5"

counts over all 10,000 test images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits

from core.command_line.interrupts import status_of
from core.command_line.progress import ProgressBar
from core.dataset import CLASS_NAMES, DatasetError, load_split
from core.evidence.ablation import parse, switched_off
from core.evidence.answers import Answers, count_answers
from core.models.model_folder import ModelFolder
from core.network import ModelError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        answers = _count(options)
    except KeyboardInterrupt as interrupt:
        return status_of(interrupt)
    except (DatasetError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"result": asdict(answers)}))
        return 0
    for name, accuracy in zip(CLASS_NAMES, answers.class_accuracy, strict=True):
        print(f"{name:<12} {accuracy:7.2%}")
    print(f"{'all':<12} {answers.accuracy:7.2%}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core.ablation",
        description="Count a model's right answers over the 10,000 test images, filters off.",
    )
    parser.add_argument("folder", type=Path, help="a model folder, such as assets/models/tuned")
    parser.add_argument("off", help='filters by layer, such as "conv_layer_1:3,17;conv_layer_3:5"')
    parser.add_argument(
        "--mean", action="store_true", help="set their maps to the mean over the test images, not 0"
    )
    parser.add_argument(
        "--json", action="store_true", help="print progress and answers for programs, line by line"
    )
    return parser


def _count(options: argparse.Namespace) -> Answers:
    """Count the answers that the command line asks for, and show the progress.

    Raises:
        DatasetError: The test images cannot be read.
        ModelError: The model cannot be read, or it has no such filters.
    """
    folder = ModelFolder(options.folder.resolve())
    files, split = folder.read(), load_split("test")
    network = files.network()
    off, wrong = parse(options.off, network)
    means = None
    if options.mean:
        insights = files.insights()
        if insights is None:
            raise ModelError(f"The means are not known yet: {folder.insights_command}")
        means = insights.means(split.labels)
    if wrong:
        raise ModelError(f"{folder.name} has no filter {wrong[0]}.")
    count_off = partial(count_answers, switched_off(network, off, means), split)
    with threadpool_limits(limits=1, user_api="blas"):
        if options.json:
            return count_off(_print_progress)
        with ProgressBar() as bar:
            return count_off(bar)


def _print_progress(share: float, _words: str) -> None:
    # One line per percent is enough for a progress bar.
    print(json.dumps({"progress": round(share, 2)}), flush=True)


def command() -> int:
    """Run the command line with a low priority, so that the app's server comes first."""
    os.nice(10)
    return main()
