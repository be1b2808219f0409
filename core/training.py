"""Train a network by a recipe and write its model folder: `python -m core.training --recipe NAME`.

The only module that imports TensorFlow. It runs as a process of its own, never in the one that
serves pages, and imports TensorFlow only once there is something to train.
"""

import os
import signal
import sys

_INTERRUPTED = "Interrupted: nothing was written, nothing was replaced."
if __name__ == "__main__":
    # The imports take seconds, and Ctrl-C in them would print a traceback.
    signal.signal(signal.SIGINT, lambda *_: (print(_INTERRUPTED, file=sys.stderr), os._exit(130)))

import argparse
import csv
import dataclasses
import math
import platform
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.dataset import CLASS_NAMES, DatasetError, Split, hold_out, load_split, to_input
from core.insights import Progress, ProgressBar, compute
from core.keras_file import ModelError
from core.model_card import model_card
from core.model_folder import (
    CARD_FILE,
    CHECKPOINTS_FILE,
    FILES,
    HISTORY_FILE,
    MODELS_DIR,
    NETWORK_FILE,
    ModelFolder,
)

MAX_CHECKPOINTS = 15
"""Epochs that can be looked at, the untrained network and the last epoch included."""

VALIDATION_SHARE = 1 / 12
VALIDATION_SEED = 0
"""5,000 of the 60,000 training images, 500 of each class, always the same ones, are held out where
a recipe is chosen or its validation curve is recorded."""


@dataclass(frozen=True)
class Recipe:
    """All that decides how a network is trained.

    Attributes:
        name: What `--recipe` takes, and the name of the model folder.
        summary: One line for people who choose.
        epochs: Times that each training image is seen.
        batch_size: Images a step of the optimizer.
        optimizer: "adam" (Kingma and Ba 2015), or "muon" (Jordan et al. 2024; learning rates as
            in Liu et al. 2025, arXiv:2502.16982) for all kernels but the last layer's.
        learning_rate: Of the optimizer; where there is a warm-up, the highest.
        warm_up: Share of the steps in which the learning rate rises from 0 to the highest; in the
            others it falls to 0 along a cosine. None keeps it constant.
        weight_decay: Share of each kernel, times the learning rate, that a step takes off.
        flips: Whether half of the images, drawn anew each time, are seen mirrored left to right.
        dropout: Share of the flattened maps, and of the 128 units, that is set to 0 at random in
            training; the trained network has no dropout.
        validates: Whether a first training, on 55,000 images, records loss and accuracy on the
            5,000 others after each epoch, before the network is trained on all of them. The test
            images are then looked at once, at the end. Otherwise they are after each epoch.
        seed: Of the initial weights, the order of the images, the flips and the dropout.
    """

    name: str
    summary: str
    epochs: int
    batch_size: int = 32
    optimizer: Literal["adam", "muon"] = "adam"
    learning_rate: float = 0.001
    warm_up: float | None = None
    weight_decay: float = 0.0
    flips: bool = False
    dropout: tuple[float, float] = (0.0, 0.0)
    validates: bool = False
    seed: int = 0


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
            epochs=3,
            batch_size=128,
            optimizer="muon",
            learning_rate=0.004,
            warm_up=0.1,
        ),
        Recipe(
            name="tuned",
            summary="the same network, as accurate as it gets",
            epochs=40,
            batch_size=128,
            optimizer="muon",
            learning_rate=0.002,
            warm_up=0.1,
            weight_decay=0.01,
            flips=True,
            dropout=(0.3, 0.5),
            validates=True,
        ),
    )
}


class TrainingError(Exception):
    """A training cannot go on; the message is one sentence for the person who started it."""


@dataclass(frozen=True)
class Fitted:
    """What a training leaves.

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
    output: Path,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> ModelFolder:
    """Train a network and write its model folder, whole or not at all.

    Args:
        recipe: How to train.
        train_split: The images to train on.
        test_split: The images to test on; each class occurs.
        output: The folder to write.
        replace: Whether to replace an earlier model folder; it stays until the new one is whole.
        progress: Called after each step.

    Raises:
        TrainingError: `output` is in the way, TensorFlow is not installed, or the loss is not a
            finite number any more.
        OSError: The folder cannot be written; an earlier one is untouched.
    """
    output = output.resolve()
    check_output(output, replace)
    started = time.monotonic()
    with _staged(output) as path:
        if progress:
            progress(0, "starting TensorFlow")
        if recipe.validates:
            rest, validation = hold_out(train_split, VALIDATION_SHARE, VALIDATION_SEED)
            rehearsal = fit(
                recipe, rest, validation=validation, progress=_half(progress, 0, "held-out run, ")
            )
            fitted = fit(recipe, train_split, progress=_half(progress, 1, "all images, "))
            history = rehearsal.history
        else:
            fitted = fit(recipe, train_split, test=test_split, progress=progress)
            history = fitted.history
        fitted.model.save(path / NETWORK_FILE)
        _write_history(path / HISTORY_FILE, history)
        np.savez(path / CHECKPOINTS_FILE, allow_pickle=False, **fitted.checkpoints)
        folder = ModelFolder(path)
        insights = compute(folder.network(), test_split, progress)
        folder.write_insights(insights)
        card = model_card(
            recipe.name,
            recipe.summary,
            _settings(recipe, time.monotonic() - started),
            history,
            len(train_split.labels),
            test_split.labels,
            insights,
        )
        (path / CARD_FILE).write_text(card, encoding="utf-8")
    return ModelFolder(output)


def fit(
    recipe: Recipe,
    train_split: Split,
    *,
    validation: Split | None = None,
    test: Split | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train a network by a recipe, with nothing written.

    Args:
        recipe: How to train.
        train_split: The images to train on.
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
    model = build_model(recipe)
    steps = math.ceil(len(train_split.labels) / recipe.batch_size)
    model.compile(
        optimizer=_optimizer(recipe, steps * recipe.epochs),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    images = to_input(train_split.images)
    evaluated = {}
    if validation:
        seen = slice(len(validation.labels))
        evaluated["train"] = (images[seen], train_split.labels[seen])
        evaluated["validation"] = (to_input(validation.images), validation.labels)
    if test:
        evaluated["test"] = (to_input(test.images), test.labels)
    recorder = _Recorder(model, recipe, steps, evaluated, progress)
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=recorder.on_epoch_begin,
        on_train_batch_end=recorder.on_train_batch_end,
        on_epoch_end=recorder.on_epoch_end,
    )
    model.fit(
        images,
        train_split.labels,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        callbacks=[callback],
        verbose=0,
    )
    # A model that was never compiled has no optimizer, whose state would treble the file.
    trained = build_model()
    for layer in trained.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return Fitted(trained, recorder.history, recorder.checkpoints)


def build_model(recipe: Recipe | None = None) -> Any:
    """Return the tutorial's network, untrained, a `keras.Sequential` for images (28, 28, 1).

    Args:
        recipe: Adds what this recipe has in training only: layers without weights.
    """
    layers = _import_keras().layers
    flips = recipe is not None and recipe.flips
    flattened, units = recipe.dropout if recipe else (0.0, 0.0)
    return _import_keras().Sequential(
        [
            layers.Input((28, 28, 1)),
            *([layers.RandomFlip("horizontal")] if flips else []),
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_1"),
            layers.MaxPooling2D(2, name="pool_layer_2"),
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_3"),
            layers.MaxPooling2D(2, name="pool_layer_4"),
            layers.Flatten(name="flatten_layer_5"),
            *([layers.Dropout(flattened)] if flattened else []),
            layers.Dense(128, activation="relu", name="dense_layer_6"),
            *([layers.Dropout(units)] if units else []),
            layers.Dense(len(CLASS_NAMES), activation="softmax", name="dense_layer_7"),
        ]
    )


def checkpoint_epochs(epochs: int) -> set[int]:
    """Return the epochs to store of a training of so many: 0 and others, evenly spread."""
    count = min(epochs + 1, MAX_CHECKPOINTS)
    # The weights after the last epoch are in model.keras.
    return {round(epoch) for epoch in np.linspace(0, epochs, count)} - {epochs}


def check_output(output: Path, replace: bool) -> None:
    """Refuse a place where a model folder cannot be written without harm to something else.

    Raises:
        TrainingError: Something is there, and it must not or cannot be replaced.
    """
    if not output.exists():
        return
    if not replace:
        raise TrainingError(f"{output} exists: add --replace, or choose another folder (--output).")
    if not output.is_dir():
        raise TrainingError(f"{output} is not a folder: choose another place (--output).")
    for path in output.iterdir():
        if path.name not in FILES:
            raise TrainingError(
                f"{output} is not replaced, because {path.name} in it is no part of a model folder:"
                " move that file away, or choose another folder (--output)."
            )


class _Recorder:
    """Keeps the history and the checkpoints of a training; its methods are Keras's callbacks."""

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        steps: int,
        evaluated: Mapping[str, tuple[NDArray[np.float32], NDArray[np.uint8]]],
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


def _half(progress: Progress | None, position: int, run: str) -> Progress | None:
    """Report the first or second of two runs, position 0 or 1, as half of the whole."""
    if progress is None:
        return None
    return lambda share, words: progress((position + share) / 2, run + words)


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


@contextmanager
def _staged(output: Path) -> Iterator[Path]:
    """Yield a hidden empty folder beside `output`, which takes its place if all goes well."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}-{secrets.token_hex(4)}")
    try:
        unfinished.mkdir()
        yield unfinished
        _move_into_place(unfinished, output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move_into_place(unfinished: Path, output: Path) -> None:
    """Rename `unfinished` to `output`; what is there goes only once that has succeeded."""
    earlier = unfinished.with_name(f"{unfinished.name}-earlier")
    try:
        if output.exists():
            output.rename(earlier)
        unfinished.rename(output)
    except BaseException:
        if earlier.exists() and not output.exists():
            earlier.rename(output)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, history[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def _settings(recipe: Recipe, seconds: float) -> dict[str, str]:
    """Word what a model was trained with, by the names of the card's table."""
    rate = f"learning rate {recipe.learning_rate}"
    if recipe.warm_up is not None:
        rate = (
            f"learning rate rising to {recipe.learning_rate} over {recipe.warm_up:.0%} of the "
            "steps, then falling to 0 along a cosine"
        )
    flattened, units = recipe.dropout
    import tensorflow as tf

    return {
        "loss": "sparse categorical cross-entropy",
        "optimizer": f"{recipe.optimizer.title()}, {rate}",
        "weight decay": str(recipe.weight_decay or "none"),
        "batch size": str(recipe.batch_size),
        "epochs": str(recipe.epochs),
        "images": "half of them mirrored left to right" if recipe.flips else "as they are",
        "dropout in training": f"{flattened} of the flattened maps, {units} of the 128 units"
        if any(recipe.dropout)
        else "none",
        "seed": str(recipe.seed),
        "versions": f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {_import_keras().__version__}, NumPy {np.__version__}",
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
    try:
        check_output(output, args.replace)
        train_split, test_split = load_split("train"), load_split("test")
        with ProgressBar() as progress:
            folder = train(
                recipe, train_split, test_split, output, replace=args.replace, progress=progress
            )
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return 130
    except (DatasetError, ModelError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        reason = error.strerror or error
        print(f"{output} could not be written ({reason}): nothing was replaced.", file=sys.stderr)
        return 1
    insights = folder.insights()
    assert insights is not None, "train writes them"
    print(f"{folder.path}: test accuracy {insights.accuracy(test_split.labels):.4f}")
    return 0


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


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is done, or has said why it is not
    sys.exit(status)
