"""The words of a model's `card.md`: how it came about and what it is worth."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.dataset import CLASS_NAMES
from core.insights import Insights

_VALIDATED = """\
All choices, the number of epochs included, were made on 5,000 training images (500 of each class,
drawn with seed 0) after training on the 55,000 others. The network was then trained anew on all
60,000; the test images were looked at once, at the end. `history.csv` is of the first training,
`checkpoints.npz` and `model.keras` are of the second."""
_NOT_VALIDATED = """\
The test figures in `history.csv` were taken after each epoch and decided nothing."""


def model_card(
    name: str,
    summary: str,
    settings: Mapping[str, str],
    history: Sequence[Mapping[str, float]],
    train_images: int,
    test_labels: NDArray[np.uint8],
    insights: Insights,
) -> str:
    """Word a model's card.

    Args:
        name: The recipe's name.
        summary: The recipe in one line.
        settings: What it was trained with, "seed" among them; name to value.
        history: A row an epoch, in columns of `HISTORY_COLUMNS`.
        train_images: How many images it was trained on.
        test_labels: Labels of the test images, (n,).
        insights: What the network does over the test images.

    Returns:
        Markdown.
    """
    last = history[-1]
    held_out = "validation_loss" in last
    if held_out:
        figures = [
            ("training images, run on 11 of 12 images", last["train_loss"], last["train_accuracy"]),
            ("validation, same run", last["validation_loss"], last["validation_accuracy"]),
        ]
    else:
        figures = [
            ("training, mean over the last epoch", last["train_loss"], last["train_accuracy"])
        ]
    figures.append(("test", insights.loss(test_labels), insights.accuracy(test_labels)))
    results = "\n".join(
        f"| {what} | {loss:.4f} | {accuracy:.4f} |" for what, loss, accuracy in figures
    )
    recipe = "\n".join(f"| {what} | {value} |" for what, value in settings.items())
    counts = np.bincount(test_labels, minlength=len(CLASS_NAMES))
    accuracies = insights.class_accuracy(test_labels)
    classes = "\n".join(
        f"| {label} {CLASS_NAMES[label]} | {counts[label]:,} | {accuracy:.3f} |"
        for label, accuracy in enumerate(accuracies)
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
{_VALIDATED if held_out else _NOT_VALIDATED}

## Recipe

| | |
| --- | --- |
{recipe}

`python -m core.training --recipe {name} --seed {settings["seed"]}` trains it again.

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
