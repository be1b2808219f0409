"""Train a network into a model folder, publish it, then compute its insights."""

import os
import platform
import time

import numpy as np

from core.command_line.progress import Progress, ProgressBar, part_of
from core.dataset import Split, to_input
from core.models import attempts
from core.models.card import model_card
from core.models.history import write_history
from core.models.model_files import CARD_FILE, CHECKPOINTS_FILE, HISTORY_FILE, NETWORK_FILE
from core.models.model_folder import MODELS_DIR, ModelFolder
from core.models.staging import StagedFolder
from core.paths import shown
from core.training.backend import library_versions
from core.training.fitting import VALIDATION_SEED, fit_recipe, hold_out_validation
from core.training.recipes import Recipe

MEASURING_EPOCHS = 2.0
"""Computing the insights takes about as long as so many epochs of training."""


def train_and_measure(
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    staged: StagedFolder,
    progress: ProgressBar,
) -> float:
    """Train, publish the model, then compute its insights; return the test accuracy, 0 to 1.

    Raises:
        InsightsError, ModelError, TrainingError, OSError: As `train` and `ModelFolder.measure`.
    """
    measuring_begins = _training_share(recipe)
    with staged:
        training = part_of(progress, 0, measuring_begins)
        folder = train(recipe, train_split, test_split, staged, progress=training)
    offered = "is in the app now" if folder.path.parent == MODELS_DIR else "is trained"
    progress.print(f"{shown(folder.path)} {offered}. Its filters are measured next.")
    if staged.remark:
        progress.print(staged.remark)
    insights = folder.measure(test_split, part_of(progress, measuring_begins, 1))
    return insights.accuracy(test_split.labels)


def train(
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    staged: StagedFolder,
    *,
    progress: Progress | None = None,
) -> ModelFolder:
    """Train a network and publish its model folder, whole or not at all.

    The folder holds all files except the insights, which take as long as a training:
    `ModelFolder.measure` adds them.

    Args:
        recipe: How to train.
        train_split: The images to train on.
        test_split: The images to test on; each class occurs.
        staged: Where to write; it has been entered.
        progress: Called after each step.

    Raises:
        ModelError: The list of attempts, for the card, is missing or damaged, or the network's
            numbers are too large.
        TrainingError: TensorFlow is not installed, or the loss is not a finite number any more.
        OSError: The folder cannot be written; an earlier one is untouched.
    """
    tried = attempts.load() if recipe.validates else []
    held_out = len(hold_out_validation(train_split)[1].labels) if recipe.validates else 0
    started = time.monotonic()
    fitted, history = fit_recipe(recipe, train_split, test_split, progress)
    fitted.model.save(staged.path / NETWORK_FILE)
    write_history(staged.path / HISTORY_FILE, history)
    np.savez(staged.path / CHECKPOINTS_FILE, allow_pickle=False, **fitted.checkpoints)
    network = ModelFolder(staged.path).read().network()
    card = model_card(
        recipe.name,
        recipe.summary,
        _settings(recipe, time.monotonic() - started),
        history,
        len(train_split.labels),
        held_out,
        test_split.labels,
        network.predict(to_input(test_split.images)),
        tried,
    )
    (staged.path / CARD_FILE).write_text(card, encoding="utf-8")
    return staged.publish()


def _training_share(recipe: Recipe) -> float:
    """Return about which share of the time training takes, 0 to 1; measuring takes the rest."""
    epochs = recipe.epochs * (2 if recipe.validates else 1)
    if recipe.teacher:
        epochs *= 2  # `fit_recipe` gives the teacher half of its progress
    return epochs / (epochs + MEASURING_EPOCHS)


def _settings(recipe: Recipe, seconds: float) -> dict[str, str]:
    """Return the recipe, the versions and the time as text, by the names of the card's table."""
    settings = recipe.words()
    if recipe.teacher:
        how = "; ".join(f"{name}: {value}" for name, value in recipe.teacher.words().items())
        settings["teacher"] = f"{recipe.teacher.summary} ({how})"
    if recipe.validates:
        settings["images held out"] = f"as many of each class, drawn with seed {VALIDATION_SEED}"
    versions = {
        "Python": platform.python_version(),
        **library_versions(),
        "NumPy": np.__version__,
    }
    return settings | {
        "seed": str(recipe.seed),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "wall time": f"{seconds / 60:.1f} minutes on {os.cpu_count()} CPU cores",
    }
