"""Train a network by a recipe and write its model folder: `python -m core.training --recipe NAME`.

The only module that imports TensorFlow. It runs as a process of its own, never in the one that
serves pages, and imports TensorFlow only once there is something to train.
"""

import argparse
import csv
import dataclasses
import math
import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset import CLASS_NAMES, DatasetError, Split, load_split, to_input
from core.insights import Insights, Progress, ProgressBar, compute
from core.keras_file import ModelError
from core.model_folder import (
    CARD_FILE,
    CHECKPOINTS_FILE,
    FILES,
    HISTORY_COLUMNS,
    HISTORY_FILE,
    MODELS_DIR,
    NETWORK_FILE,
    ModelFolder,
)

MAX_CHECKPOINTS = 15
"""Epochs that can be looked at, the untrained network and the last epoch included."""


@dataclass(frozen=True)
class Recipe:
    """All that decides how a network is trained.

    Attributes:
        name: What `--recipe` takes, and the name of the model folder.
        summary: One line for people who choose.
        epochs: Times that each training image is seen.
        batch_size: Images a step of the optimizer.
        learning_rate: Of Adam.
        seed: Of the initial weights and of the order of the images.
    """

    name: str
    summary: str
    epochs: int
    batch_size: int = 32
    learning_rate: float = 0.001
    seed: int = 0


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="tutorial",
            summary="the tutorial's network, trained as in the tutorial",
            epochs=5,
        ),
    )
}


class TrainingError(Exception):
    """A training cannot go on; the message is one sentence for the person who started it."""


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
        test_split: The images to test on after each epoch; each class occurs.
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
        _import_keras().utils.set_random_seed(recipe.seed)
        model = build_model()
        recorder = _fit(model, recipe, train_split, test_split, progress)
        _save_network(model, path / NETWORK_FILE)
        _write_history(path / HISTORY_FILE, recorder.history)
        np.savez(path / CHECKPOINTS_FILE, allow_pickle=False, **recorder.checkpoints)
        folder = ModelFolder(path)
        insights = compute(folder.network(), test_split, progress)
        folder.write_insights(insights)
        seconds = time.monotonic() - started
        card = _card(recipe, train_split, test_split, recorder.history, insights, seconds)
        (path / CARD_FILE).write_text(card, encoding="utf-8")
    return ModelFolder(output)


def build_model() -> Any:
    """Return the tutorial's network, untrained, a `keras.Sequential` for images (28, 28, 1)."""
    layers = _import_keras().layers
    return _import_keras().Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_1"),
            layers.MaxPooling2D(2, name="pool_layer_2"),
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_3"),
            layers.MaxPooling2D(2, name="pool_layer_4"),
            layers.Flatten(name="flatten_layer_5"),
            layers.Dense(128, activation="relu", name="dense_layer_6"),
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


def _fit(
    model: Any,
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    progress: Progress | None,
) -> "_Recorder":
    """Train a model and return what was recorded meanwhile."""
    keras = _import_keras()
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    steps = math.ceil(len(train_split.images) / recipe.batch_size)
    recorder = _Recorder(model, recipe, steps, test_split, progress)
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=recorder.on_epoch_begin,
        on_train_batch_end=recorder.on_train_batch_end,
        on_epoch_end=recorder.on_epoch_end,
    )
    model.fit(
        to_input(train_split.images),
        train_split.labels,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        callbacks=[callback],
        verbose=0,
    )
    return recorder


class _Recorder:
    """Keeps the history and the checkpoints of a training; its methods are Keras's callbacks."""

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        steps: int,
        test_split: Split,
        progress: Progress | None,
    ) -> None:
        self.history: list[dict[str, float]] = []
        self.checkpoints: dict[str, NDArray[np.float16]] = {}
        self._model = model
        self._recipe = recipe
        self._steps = steps
        self._test_images, self._test_labels = to_input(test_split.images), test_split.labels
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
        seconds = time.monotonic() - self._epoch_started
        test = self._model.evaluate(
            self._test_images, self._test_labels, verbose=0, return_dict=True
        )
        figures = (logs["loss"], logs["accuracy"], test["loss"], test["accuracy"])
        row = (epoch + 1, round(seconds, 1), *(round(figure, 6) for figure in figures))
        self.history.append(dict(zip(HISTORY_COLUMNS[0], row, strict=True)))
        self._keep_weights(epoch + 1)

    def _keep_weights(self, epoch: int) -> None:
        if epoch not in self._checkpoint_epochs:
            return
        for layer in self._model.layers:
            for weight in layer.weights:
                name = f"{epoch}/{layer.name}/{weight.name}"
                self.checkpoints[name] = weight.numpy().astype(np.float16)


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


def _save_network(model: Any, path: Path) -> None:
    # A model that was never compiled has no optimizer, whose state would treble the file.
    trained = build_model()
    trained.set_weights(model.get_weights())
    trained.save(path)


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, history[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def _card(
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    history: Sequence[Mapping[str, float]],
    insights: Insights,
    seconds: float,
) -> str:
    """Word `card.md`: how the model came about and what it is worth."""
    last = history[-1]
    counts = np.bincount(test_split.labels, minlength=len(CLASS_NAMES))
    accuracies = insights.class_accuracy(test_split.labels)
    classes = "\n".join(
        f"| {label} {CLASS_NAMES[label]} | {counts[label]:,} | {accuracy:.3f} |"
        for label, accuracy in enumerate(accuracies)
    )
    return f"""\
# {recipe.name}

{recipe.summary[0].upper()}{recipe.summary[1:]}.

| | loss | accuracy |
| --- | ---: | ---: |
| training, mean over the last epoch | {last["train_loss"]:.4f} | {last["train_accuracy"]:.4f} |
| test, after the last epoch | {last["test_loss"]:.4f} | {last["test_accuracy"]:.4f} |

## Data

Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017; Expat licence, Zalando SE), grey values divided by
255: {len(train_split.images):,} images to train on, {len(test_split.images):,} to test on.
None was held out for validation; the test figures were recorded after each epoch and decided
nothing.

## Recipe

| | |
| --- | --- |
| loss | sparse categorical cross-entropy |
| optimizer | Adam, learning rate {recipe.learning_rate} |
| batch size | {recipe.batch_size} |
| epochs | {recipe.epochs} |
| seed | {recipe.seed} |
| versions | {_versions()} |
| wall time | {seconds / 60:.1f} minutes on {os.cpu_count()} CPU cores |

`python -m core.training --recipe {recipe.name} --seed {recipe.seed}` trains it again.

## Test accuracy of each class

| class | images | accuracy |
| --- | ---: | ---: |
{classes}

## Limits

- It knows ten kinds of clothing, each alone, centred, upright and bright on black. It names one of
  the ten for any other image, too, and may be sure of it: its probabilities are not calibrated.
- One seed, one run: another seed may well give half a point of accuracy more or less.
- The same seed gives other weights with another version of TensorFlow or on another processor.
"""


def _versions() -> str:
    import tensorflow as tf

    return (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {_import_keras().__version__}, NumPy {np.__version__}"
    )


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
        print("Interrupted: nothing was written, nothing was replaced.", file=sys.stderr)
        return 130
    except (DatasetError, ModelError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        reason = error.strerror or error
        print(f"{output} could not be written ({reason}): nothing was replaced.", file=sys.stderr)
        return 1
    accuracy = folder.history()["test_accuracy"].iloc[-1]
    print(f"{folder.path}: test accuracy {accuracy:.4f}")
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
    sys.exit(main())
