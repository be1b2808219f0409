"""The words of a model's `card.md`: how it came about and what it is worth."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.dataset import CLASS_NAMES
from core.evidence.answers import Answers
from core.evidence.statistics import cross_entropy
from core.models.attempts import Attempt

_VALIDATED = """\
All choices, the number of epochs included, were made on the same {held_out:,} of the training
images, with as many of each class, after training on the others. The network was then trained anew
on all of them; the test images were looked at once, at the end. `history.csv` is of the first
training, `checkpoints.npz` and `model.keras` are of the second."""
_NOT_VALIDATED = """\
The test figures in `history.csv` were taken after each epoch and decided nothing."""


def model_card(
    name: str,
    summary: str,
    settings: Mapping[str, str],
    history: Sequence[Mapping[str, float]],
    train_images: int,
    held_out: int,
    test_labels: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    attempts: Sequence[Attempt],
) -> str:
    """Word a model's card.

    Args:
        name: The recipe's name.
        summary: The recipe in one line.
        settings: What it was trained with, "seed" among them; name to value.
        history: A row an epoch, in columns of `HISTORY_COLUMNS`.
        train_images: How many images it was trained on.
        held_out: How many of them a training before had been validated on; 0 without one.
        test_labels: Labels of the test images, (n,).
        probabilities: The network's output for each test image, (n, 10).
        attempts: What was tried on the way to the recipe.

    Returns:
        Markdown.
    """
    last = history[-1]
    if held_out:
        figures = [
            (
                f"{train_images - held_out:,} training images, trained on these alone",
                last["train_loss"],
                last["train_accuracy"],
            ),
            (
                f"{held_out:,} others, in the same training",
                last["validation_loss"],
                last["validation_accuracy"],
            ),
        ]
    else:
        figures = [
            ("training, mean over the last epoch", last["train_loss"], last["train_accuracy"])
        ]
    answers = Answers.of(probabilities, test_labels)
    figures.append(("test", cross_entropy(probabilities, test_labels), answers.accuracy))
    results = "\n".join(
        f"| {what} | {loss:.4f} | {accuracy:.4f} |" for what, loss, accuracy in figures
    )
    recipe = "\n".join(f"| {what} | {value} |" for what, value in settings.items())
    classes = "\n".join(
        f"| {label} {CLASS_NAMES[label]} | {answers.counts[label]:,} | {accuracy:.3f} |"
        for label, accuracy in enumerate(answers.class_accuracy)
    )
    return f"""\
# {name}

{summary[0].upper()}{summary[1:]}.

| | loss | accuracy |
| --- | ---: | ---: |
{results}

## Data

Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017; Expat licence, Zalando SE), grey values divided by
255: {train_images:,} images to train on, {len(test_labels):,} to test on.
{_VALIDATED.format(held_out=held_out) if held_out else _NOT_VALIDATED}

## Recipe

| | |
| --- | --- |
{recipe}

`python -m core.training --recipe {name} --seed {settings["seed"]}` trains it again.

{_attempts(attempts, held_out)}## Test accuracy of each class

| class | images | accuracy |
| --- | ---: | ---: |
{classes}

## Limits

- It knows ten kinds of clothing, each alone, centred, upright and bright on black. It names one of
  the ten for any other image, too, and may be sure of it: its probabilities are not calibrated.
- One seed, one run: another seed may well give half a point of accuracy more or less.
- The same seed gives other weights with another version of TensorFlow or on another processor.
"""


def _attempts(attempts: Sequence[Attempt], held_out: int) -> str:
    if not attempts:
        return ""
    best = max(attempt.validation_accuracy for attempt in attempts)
    # Of a share, after the binomial distribution.
    error = math.sqrt(best * (1 - best) / held_out)
    rows = "\n".join(
        f"| {number} | {attempt.change} | {attempt.settings} | {attempt.epochs} "
        f"| {attempt.validation_loss:.4f} | {attempt.validation_accuracy:.4f} "
        f"| {'yes' if attempt.kept else 'no'} |"
        for number, attempt in enumerate(attempts)
    )
    return f"""\
## What was tried

One training each, validated on the images held out. An accuracy of {best:.3f} on {held_out:,}
images has a standard error of {error:.4f}, so smaller differences may be chance.

| | change | settings | epochs | loss | accuracy | kept |
| ---: | --- | --- | ---: | ---: | ---: | --- |
{rows}

"""
