"""Small trainings: few images that can be learnt, and recipes of one or two epochs."""

import dataclasses

import numpy as np

from core.dataset import Split
from core.models.staging import StagedFolder
from core.training.recipes import RECIPES, TEACHER
from core.training.trainer import train

SHORT = dataclasses.replace(RECIPES["tutorial"], epochs=2)


def make_split(n, seed):
    """Images that can be learnt: each class has its own bright row."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
    images = rng.integers(0, 100, (n, 28, 28), dtype=np.uint8)
    images[np.arange(n), 2 * labels + 4] += 100
    return Split(images, labels)


TRAIN, TEST = make_split(200, seed=1), make_split(100, seed=2)


VALIDATING = dataclasses.replace(
    RECIPES["tuned"],
    epochs=2,
    batch_size=32,
    learning_rate=0.003,
    teacher=dataclasses.replace(TEACHER, epochs=1),
)


def train_into(output, recipe, replace=False, progress=None):
    """Train, publish and measure, as the command does."""
    with StagedFolder(output, replace) as staged:
        folder = train(recipe, TRAIN, TEST, staged, progress=progress)
    folder.measure(TEST)
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
