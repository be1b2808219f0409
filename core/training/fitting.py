"""Fit networks to the training images; nothing is written.

A recipe may need up to three trainings (`fit_recipe`): its teacher, the network with some images
held out for validation, and the network on all images.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.command_line.progress import Progress, part_of
from core.dataset import CLASS_NAMES, Split, hold_out, to_input
from core.training.backend import import_keras
from core.training.networks import build_model
from core.training.optimizers import build_optimizer
from core.training.recipes import Recipe
from core.training.recorder import Examples, Recorder

VALIDATION_SHARE = 1 / 12
VALIDATION_SEED = 0
"""5,000 of the 60,000 training images, 500 of each class, always the same ones, are held out where
a recipe is chosen or its validation curve is recorded."""


@dataclass(frozen=True)
class Fitted:
    """The results of a training.

    Attributes:
        model: The trained `keras.Sequential`, without the layers that serve training only.
        history: One row per epoch, in columns of `HISTORY_COLUMNS`.
        checkpoints: Weights by their names in `checkpoints.npz`.
    """

    model: Any
    history: list[dict[str, float]]
    checkpoints: dict[str, NDArray[np.float16]]


def fit_recipe(
    recipe: Recipe, train_split: Split, test_split: Split, progress: Progress | None
) -> tuple[Fitted, list[dict[str, float]]]:
    """Train the teacher, the network with images held out, and the network, as the recipe asks.

    Returns:
        The results of the last training, and the history to keep.

    Raises:
        TrainingError: As `fit`.
    """
    teacher, done = None, 0.0
    if recipe.teacher:
        done = 0.5
        teacher = fit_teacher(recipe, train_split, progress=part_of(progress, 0, done, "teacher, "))
    if not recipe.validates:
        rest = part_of(progress, done, 1)
        fitted = fit(recipe, train_split, teacher=teacher, test=test_split, progress=rest)
        return fitted, fitted.history
    middle = (done + 1) / 2
    part, validation = hold_out_validation(train_split)
    first = part_of(progress, done, middle, "images held out, ")
    rehearsal = fit(recipe, part, teacher=teacher, validation=validation, progress=first)
    second = part_of(progress, middle, 1, "all images, ")
    return fit(recipe, train_split, teacher=teacher, progress=second), rehearsal.history


def hold_out_validation(train_split: Split) -> tuple[Split, Split]:
    """Return the images to train on and those held out for validation."""
    return hold_out(train_split, VALIDATION_SHARE, VALIDATION_SEED)


def fit_teacher(recipe: Recipe, train_split: Split, *, progress: Progress | None = None) -> Any:
    """Train a recipe's teacher on the training images that are not held out.

    Returns:
        A `keras.Sequential`.

    Raises:
        TrainingError: As `fit`.
    """
    assert recipe.teacher is not None, f"{recipe.name} has no teacher"
    rest, _ = hold_out_validation(train_split)
    return fit(dataclasses.replace(recipe.teacher, seed=recipe.seed), rest, progress=progress).model


def fit(
    recipe: Recipe,
    train_split: Split,
    *,
    teacher: Any = None,
    validation: Split | None = None,
    test: Split | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train one network by a recipe.

    Args:
        recipe: How to train.
        train_split: The images to train on.
        teacher: A trained model whose probabilities take the labels' place, or part of it.
        validation: Images to evaluate on after each epoch, beside as many of the training images,
            without dropout. Either this or `test`, or neither: then the history has only Keras's
            own figures of the training images.
        test: Images to test on after each epoch.
        progress: Called after each step.

    Raises:
        TrainingError: TensorFlow is not installed, or the loss is not a finite number any more.
    """
    keras = import_keras()
    keras.utils.set_random_seed(recipe.seed)
    model = build_model(recipe, in_training=True)
    steps = math.ceil(len(train_split.labels) / recipe.batch_size)
    model.compile(
        optimizer=build_optimizer(recipe, steps * recipe.epochs),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    images, targets = _examples(train_split)
    evaluated = {}
    if validation:
        seen = slice(len(validation.labels))
        evaluated["train"] = (images[seen], targets[seen])
        evaluated["validation"] = _examples(validation)
    if test:
        evaluated["test"] = _examples(test)
    if teacher:
        soft = np.float32(recipe.trust) * soft_labels(teacher, images)
        targets = soft + np.float32(1 - recipe.trust) * targets
    recorder = Recorder(model, recipe, steps, evaluated, progress)
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=recorder.on_epoch_begin,
        on_train_batch_end=recorder.on_train_batch_end,
        on_epoch_end=recorder.on_epoch_end,
    )
    model.fit(
        images,
        targets,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        callbacks=[callback],
        verbose=0,
    )
    # A model that was never compiled has no optimizer, whose state would treble the file.
    trained = build_model(recipe)
    for layer in trained.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return Fitted(trained, recorder.history, recorder.checkpoints)


def soft_labels(teacher: Any, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the teacher's probabilities, averaged over each image and its mirror image.

    Args:
        teacher: A trained `keras.Sequential`.
        images: (n, 28, 28, 1), 0 to 1.

    Returns:
        (n, 10).
    """
    views = (images, images[:, :, ::-1])
    soft: NDArray[np.float32] = np.mean(
        [teacher.predict(view, batch_size=500, verbose=0) for view in views], axis=0
    )
    return soft


def _examples(split: Split) -> Examples:
    return to_input(split.images), np.eye(len(CLASS_NAMES), dtype=np.float32)[split.labels]
