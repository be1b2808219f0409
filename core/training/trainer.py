"""Train a network by a recipe and write its model folder: `python -m core.training --recipe NAME`.

The only module that imports TensorFlow. It runs as a process of its own, never in the one that
serves pages, and imports TensorFlow only once there is something to train.
"""

import argparse
import contextlib
import csv
import dataclasses
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.command_line.interrupts import status_of
from core.command_line.progress import Progress, ProgressBar, part_of
from core.dataset import CLASS_NAMES, DatasetError, Split, hold_out, load_split, to_input
from core.evidence.embedding import require_embedding_package
from core.evidence.insights import InsightsError
from core.models.card import model_card
from core.models.model_folder import (
    CARD_FILE,
    CHECKPOINTS_FILE,
    HISTORY_FILE,
    INSIGHTS_FILE,
    MODELS_DIR,
    NETWORK_FILE,
    ModelFolder,
)
from core.models.staging import OutputError, StagedFolder
from core.network import ModelError
from core.paths import shown
from core.training import attempts
from core.training.recipe import Recipe

NOTHING_DONE = "nothing was written, nothing was replaced."

MAX_CHECKPOINTS = 15
"""Epochs that can be looked at, the untrained network and the last epoch included."""

MEASURING_EPOCHS = 2.0
"""Computing the insights takes about as long as so many epochs of training."""

VALIDATION_SHARE = 1 / 12
VALIDATION_SEED = 0
"""5,000 of the 60,000 training images, 500 of each class, always the same ones, are held out where
a recipe is chosen or its validation curve is recorded."""


TEACHER = Recipe(
    name="teacher",
    summary="a larger network, which the tuned one learns from",
    epochs=16,
    batch_size=128,
    learning_rate=0.003,
    warm_up=0.2,
    weight_decay=0.05,
    flips=True,
    shifts=True,
    dropout=(0.3, 0.0),
    label_smoothing=0.05,
    network="large",
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="tutorial",
            summary="the tutorial's network, trained as in the tutorial",
            epochs=5,
        ),
        Recipe(
            name="fast",
            summary="the same network, soonest at the tutorial's 90.36 % test accuracy",
            epochs=2,
            batch_size=64,
            optimizer="muon",
            learning_rate=0.004,
            warm_up=0.2,
        ),
        Recipe(
            name="tuned",
            summary="the same network, as accurate as it gets",
            epochs=24,
            batch_size=128,
            optimizer="muon",
            learning_rate=0.002,
            warm_up=0.1,
            weight_decay=0.01,
            flips=True,
            dropout=(0.1, 0.2),
            teacher=TEACHER,
            trust=0.9,
            validates=True,
        ),
    )
}


class TrainingError(Exception):
    """A training cannot go on; the message is one sentence for the person who started it."""


REFUSALS = (DatasetError, InsightsError, ModelError, OutputError, TrainingError)
"""Errors whose message is one sentence for the person who started the command."""


@dataclass(frozen=True)
class Fitted:
    """The results of a training.

    Attributes:
        model: The trained `keras.Sequential`, without what only serves training.
        history: A row an epoch, in columns of `HISTORY_COLUMNS`.
        checkpoints: Weights by their names in `checkpoints.npz`.
    """

    model: Any
    history: list[dict[str, float]]
    checkpoints: dict[str, NDArray[np.float16]]


def train(
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    staged: StagedFolder,
    *,
    progress: Progress | None = None,
) -> ModelFolder:
    """Train a network and publish its model folder, whole or not at all.

    The folder holds everything but the insights, which take as long as a training:
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
    held_out = len(_hold_out(train_split)[1].labels) if recipe.validates else 0
    started = time.monotonic()
    fitted, history = _fit_all(recipe, train_split, test_split, progress)
    fitted.model.save(staged.path / NETWORK_FILE)
    _write_history(staged.path / HISTORY_FILE, history)
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


def _fit_all(
    recipe: Recipe, train_split: Split, test_split: Split, progress: Progress | None
) -> tuple[Fitted, list[dict[str, float]]]:
    """Train the teacher, the network with images held out, and the network, as far as asked for.

    Returns:
        What the last of them leaves, and the history to keep.
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
    part, validation = _hold_out(train_split)
    first = part_of(progress, done, middle, "images held out, ")
    rehearsal = fit(recipe, part, teacher=teacher, validation=validation, progress=first)
    second = part_of(progress, middle, 1, "all images, ")
    return fit(recipe, train_split, teacher=teacher, progress=second), rehearsal.history


def _hold_out(train_split: Split) -> tuple[Split, Split]:
    return hold_out(train_split, VALIDATION_SHARE, VALIDATION_SEED)


def fit_teacher(recipe: Recipe, train_split: Split, *, progress: Progress | None = None) -> Any:
    """Train a recipe's teacher on the training images that are not held out.

    Returns:
        A `keras.Sequential`.

    Raises:
        TrainingError: As `fit`.
    """
    assert recipe.teacher is not None, f"{recipe.name} has no teacher"
    rest, _ = _hold_out(train_split)
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
    """Train a network by a recipe, with nothing written.

    Args:
        recipe: How to train.
        train_split: The images to train on.
        teacher: A trained model whose probabilities take the labels' place, or part of it.
        validation: Images to evaluate on after each epoch, beside as many of the training images,
            without dropout. Either this or `test`, or neither: then the history has only what
            Keras says of the training images.
        test: Images to test on after each epoch.
        progress: Called after each step.

    Raises:
        TrainingError: TensorFlow is not installed, or the loss is not a finite number any more.
    """
    keras = _import_keras()
    keras.utils.set_random_seed(recipe.seed)
    model = build_model(recipe, in_training=True)
    steps = math.ceil(len(train_split.labels) / recipe.batch_size)
    model.compile(
        optimizer=_optimizer(recipe, steps * recipe.epochs),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    images, targets = _inputs(train_split)
    evaluated = {}
    if validation:
        seen = slice(len(validation.labels))
        evaluated["train"] = (images[seen], targets[seen])
        evaluated["validation"] = _inputs(validation)
    if test:
        evaluated["test"] = _inputs(test)
    if teacher:
        soft = np.float32(recipe.trust) * _soft_labels(teacher, images)
        targets = soft + np.float32(1 - recipe.trust) * targets
    recorder = _Recorder(model, recipe, steps, evaluated, progress)
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


def build_model(recipe: Recipe, *, in_training: bool = False) -> Any:
    """Return a recipe's network, untrained, a `keras.Sequential` for images (28, 28, 1).

    Args:
        recipe: Decides which network it is, and what it has in training only.
        in_training: Whether to add that; it has no weights, and layers keep their names.
    """
    layers = _import_keras().layers
    flattened, units = recipe.dropout if in_training else (0.0, 0.0)
    images = []
    if in_training and recipe.flips:
        images.append(layers.RandomFlip("horizontal"))
    if in_training and recipe.shifts:
        pixel = 1 / 28
        images.append(
            layers.RandomTranslation(pixel, pixel, fill_mode="constant", interpolation="nearest")
        )
    if recipe.network == "large":
        maps = _large_network()
        hidden = []
    else:
        maps = [
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_1"),
            layers.MaxPooling2D(2, name="pool_layer_2"),
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_3"),
            layers.MaxPooling2D(2, name="pool_layer_4"),
        ]
        hidden = [layers.Dense(128, activation="relu", name="dense_layer_6")]
    return _import_keras().Sequential(
        [
            layers.Input((28, 28, 1)),
            *images,
            *maps,
            layers.Flatten(name="flatten_layer_5"),
            *([layers.Dropout(flattened)] if flattened else []),
            *hidden,
            *([layers.Dropout(units)] if units else []),
            layers.Dense(len(CLASS_NAMES), activation="softmax", name="dense_layer_7"),
        ]
    )


def _large_network() -> list[Any]:
    """Return the teacher's layers up to its last maps (3, 3, 128)."""
    layers = _import_keras().layers

    def block(number: int, filters: int, *pool: Any) -> list[Any]:
        return [
            layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{number}"),
            # Before the rest, which then has a quarter of the work.
            *pool,
            # Keras's own momentum, 0.99, follows too slowly for a training of a few epochs.
            layers.BatchNormalization(momentum=0.9, name=f"normalization_{number}"),
            layers.ReLU(),
        ]

    return [
        *block(1, 32, layers.MaxPooling2D(2)),
        *block(2, 64),
        *block(3, 64, layers.MaxPooling2D(2)),
        *block(4, 128),
        *block(5, 128, layers.MaxPooling2D(2)),
    ]


def _inputs(split: Split) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a split's images as the network takes them, and its labels as probabilities."""
    return to_input(split.images), np.eye(len(CLASS_NAMES), dtype=np.float32)[split.labels]


def _soft_labels(teacher: Any, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the teacher's probabilities (n, 10), its mean over each image and its mirror image."""
    views = (images, images[:, :, ::-1])
    soft: NDArray[np.float32] = np.mean(
        [teacher.predict(view, batch_size=500, verbose=0) for view in views], axis=0
    )
    return soft


def checkpoint_epochs(epochs: int) -> set[int]:
    """Return the epochs to store of a training of so many: 0 and others, evenly spread."""
    count = min(epochs + 1, MAX_CHECKPOINTS)
    # The weights after the last epoch are in model.keras.
    return {round(epoch) for epoch in np.linspace(0, epochs, count)} - {epochs}


class _Recorder:
    """Keeps the history and the checkpoints of a training; its methods are Keras's callbacks."""

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        steps: int,
        evaluated: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
        progress: Progress | None,
    ) -> None:
        self.history: list[dict[str, float]] = []
        self.checkpoints: dict[str, NDArray[np.float16]] = {}
        self._model = model
        self._recipe = recipe
        self._steps = steps
        self._evaluated = evaluated
        self._progress = progress
        self._epoch_started = 0.0
        self._checkpoint_epochs = checkpoint_epochs(recipe.epochs)
        self._keep_weights(0)

    def on_epoch_begin(self, _epoch: int, _logs: object) -> None:
        self._epoch_started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        epoch = len(self.history) + 1
        loss, accuracy = logs["loss"], logs["accuracy"]
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {epoch}: lower the recipe's learning rate, or try"
                " another --seed."
            )
        if self._progress:
            share = (epoch - 1 + (batch + 1) / self._steps) / self._recipe.epochs
            where = f"epoch {epoch}/{self._recipe.epochs}"
            self._progress(share, f"{where}  loss {loss:.4f}  accuracy {accuracy:.4f}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        row = {"epoch": epoch + 1, "seconds": round(time.monotonic() - self._epoch_started, 1)}
        figures = {"train": logs} | {
            split: self._model.evaluate(images, labels, verbose=0, return_dict=True)
            for split, (images, labels) in self._evaluated.items()
        }
        for split, values in figures.items():
            for measure in ("loss", "accuracy"):
                row[f"{split}_{measure}"] = round(values[measure], 6)
        self.history.append(row)
        self._keep_weights(epoch + 1)

    def _keep_weights(self, epoch: int) -> None:
        if epoch not in self._checkpoint_epochs:
            return
        for layer in self._model.layers:
            for weight in layer.trainable_weights:
                name = f"{epoch}/{layer.name}/{weight.name}"
                self.checkpoints[name] = weight.numpy().astype(np.float16)


def _optimizer(recipe: Recipe, steps: int) -> Any:
    """Return the recipe's optimizer for so many steps."""
    keras = _import_keras()
    rate = recipe.learning_rate
    if recipe.warm_up is not None:
        rising = round(recipe.warm_up * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps - rising, warmup_target=recipe.learning_rate, warmup_steps=rising
        )
    if recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, weight_decay=recipe.weight_decay or None)
    else:
        optimizer = _muon(rate, recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def _muon(rate: Any, weight_decay: float) -> Any:
    keras = _import_keras()

    class Muon(keras.optimizers.Muon):  # type: ignore[misc, name-defined]
        """Keras's, with the kernels of convolutions as matrices, a column a filter."""

        def _should_use_adamw(self, variable: Any) -> bool:
            return variable.path.endswith("bias") or "dense_layer_7" in variable.path

        def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
            matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
            return keras.ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

        def lr_adjust(self, x: Any) -> Any:
            matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
            return keras.ops.reshape(super().lr_adjust(matrix), x.shape)

    return Muon(rate, weight_decay=weight_decay, adam_weight_decay=weight_decay)


def _import_keras() -> Any:
    """Import Keras on a quiet, deterministic TensorFlow; the first time takes seconds."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Errors come as exceptions; what TensorFlow logs besides is about its own build.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        raise TrainingError(f"Training needs TensorFlow ({error}): install it.") from error
    tf.config.experimental.enable_op_determinism()
    return keras


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, history[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def _settings(recipe: Recipe, seconds: float) -> dict[str, str]:
    """Word what a model was trained with, by the names of the card's table."""
    import tensorflow as tf

    settings = recipe.words()
    if recipe.teacher:
        how = "; ".join(f"{name}: {value}" for name, value in recipe.teacher.words().items())
        settings["teacher"] = f"{recipe.teacher.summary} ({how})"
    if recipe.validates:
        settings["images held out"] = f"as many of each class, drawn with seed {VALIDATION_SEED}"
    versions = {
        "Python": platform.python_version(),
        "TensorFlow": tf.__version__,
        "Keras": _import_keras().__version__,
        "NumPy": np.__version__,
    }
    return settings | {
        "seed": str(recipe.seed),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "wall time": f"{seconds / 60:.1f} minutes on {os.cpu_count()} CPU cores",
    }


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
            _import_keras()
            with _log_of_libraries_held_back():
                accuracy = _train_and_measure(recipe, train_split, test_split, staged, progress)
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


def _train_and_measure(
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    staged: StagedFolder,
    progress: ProgressBar,
) -> float:
    """Train, publish the model, then compute its insights; return the test accuracy, 0 to 1."""
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


def _training_share(recipe: Recipe) -> float:
    """Return about which share of the time training takes, 0 to 1; measuring takes the rest."""
    epochs = recipe.epochs * (2 if recipe.validates else 1)
    if recipe.teacher:
        epochs *= 2  # as `_fit_all` shares out its progress
    return epochs / (epochs + MEASURING_EPOCHS)


def _kept(staged: StagedFolder | None) -> str:
    """Return what a training that did not end as it should has left."""
    if staged is None or staged.published is None:
        return NOTHING_DONE
    folder = ModelFolder(staged.published)
    if (folder.path / INSIGHTS_FILE).exists():
        return f"the model is complete in {shown(folder.path)}."
    return (
        f"the trained model is in {shown(folder.path)}, but its filters were not measured; "
        f"`{folder.insights_command}` does that."
    )


@contextlib.contextmanager
def _log_of_libraries_held_back() -> Iterator[None]:
    """Keep what TensorFlow's C++ code logs out of the progress bar.

    It writes to file descriptor 2, past Python; `sys.stderr` gets a copy of the descriptor
    meanwhile. After an unexpected error the log is printed, because it may give the reason.

    Keras is imported before: TensorFlow aborts the process on a processor that it does not support,
    and its log is then the only message.
    """
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        terminal = stack.enter_context(os.fdopen(os.dup(2), "w", encoding="utf-8"))
        if sys.stderr is sys.__stderr__:  # not replaced by somebody who wants to read it
            stack.enter_context(contextlib.redirect_stderr(terminal))
        os.dup2(log.fileno(), 2)
        try:
            yield
        except (*REFUSALS, OSError):
            raise
        except Exception:
            log.seek(0)
            print(log.read().decode(errors="replace"), end="", file=sys.stderr)
            raise
        finally:
            terminal.flush()
            os.dup2(terminal.fileno(), 2)


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
