"""The command line of `python -m core.training`."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from core.command_line.interrupts import status_of
from core.command_line.progress import ProgressBar
from core.dataset import DatasetError, load_split
from core.evidence.embedding import require_embedding_package
from core.evidence.insights import InsightsError
from core.models.model_files import INSIGHTS_FILE
from core.models.model_folder import MODELS_DIR, ModelFolder
from core.models.staging import OutputError, StagedFolder
from core.network import ModelError
from core.paths import shown
from core.training.backend import import_keras
from core.training.errors import TrainingError
from core.training.library_log import hide_library_log
from core.training.recipes import RECIPES
from core.training.trainer import train_and_measure

NOTHING_DONE = "nothing was written, nothing was replaced."

REFUSALS = (DatasetError, InsightsError, ModelError, OutputError, TrainingError)
"""Errors whose message is one sentence for the person who started the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    args = _parse(arguments)
    if args.list:
        for recipe in RECIPES.values():
            print(f"{recipe.name}: {recipe.summary}")
        return 0
    recipe = RECIPES[args.recipe]
    if args.seed is not None:
        recipe = dataclasses.replace(recipe, seed=args.seed)
    output = args.output or MODELS_DIR / recipe.name
    staged = None
    try:
        staged = StagedFolder(output, args.replace)
        require_embedding_package()  # which the insights need in the end
        train_split, test_split = load_split("train"), load_split("test")
        with ProgressBar() as progress:
            progress(0, "starting TensorFlow")
            import_keras()
            with hide_library_log(expected=(*REFUSALS, OSError)):
                accuracy = train_and_measure(recipe, train_split, test_split, staged, progress)
    except KeyboardInterrupt as interrupt:
        print(f"Interrupted: {_kept(staged)}", file=sys.stderr)
        return status_of(interrupt)
    except REFUSALS as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        reason = error.strerror or error
        print(f"{shown(output)} could not be written ({reason}): {_kept(staged)}", file=sys.stderr)
        return 1
    print(f"{shown(staged.place)}: test accuracy {accuracy:.4f}")
    return 0


def _kept(staged: StagedFolder | None) -> str:
    """Return which results remain of a training that was interrupted or failed."""
    if staged is None or staged.published is None:
        return NOTHING_DONE
    folder = ModelFolder(staged.published)
    if (folder.path / INSIGHTS_FILE).exists():
        return f"the model is complete in {shown(folder.path)}."
    return (
        f"the trained model is in {shown(folder.path)}, but its filters were not measured; "
        f"`{folder.insights_command}` does that."
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m core.training",
        description="Train a network on Fashion-MNIST and write its model folder.",
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--recipe", choices=RECIPES, help="how to train")
    choice.add_argument("--list", action="store_true", help="list the recipes and stop")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder to write (assets/models/RECIPE)"
    )
    parser.add_argument("--replace", action="store_true", help="replace an earlier model folder")
    parser.add_argument("--seed", type=_seed, help="another seed than the recipe's")
    return parser.parse_args(arguments)


def _seed(text: str) -> int:
    """Parse a seed that NumPy and TensorFlow both take."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)
