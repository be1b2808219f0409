"""Splits in memory: images with labels, the network's input, held-out parts, the train summary."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

SplitName = Literal["train", "test"]


@dataclass(frozen=True, eq=False)
class Split:
    """The training or the test images with their labels, as read-only arrays.

    Attributes:
        images: uint8 (n, 28, 28), 0 for the background to 255.
        labels: uint8 (n,), indices into `CLASS_NAMES`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TrainSummary:
    """The part of the training split that the app shows without its images; read-only arrays.

    Attributes:
        class_counts: int64 (10,), images of each class.
        class_means: float32 (10, 28, 28), the mean image of each class, on the images' scale
            of 0 to 255.
        examples: uint8 (10, 28, 28), the first training image of each class.
        example_indices: int64 (10,), the indices of `examples` in the training split.
    """

    class_counts: NDArray[np.int64]
    class_means: NDArray[np.float32]
    examples: NDArray[np.uint8]
    example_indices: NDArray[np.int64]


def to_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert images to the network's input.

    Args:
        images: uint8 (n, 28, 28), 0 to 255.

    Returns:
        float32 (n, 28, 28, 1), 0 to 1.

    Raises:
        ValueError: `images` has another type or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"expected uint8 (n, 28, 28), got {images.dtype} {images.shape}")
    return np.divide(images[..., np.newaxis], 255, dtype=np.float32)


def hold_out(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Divide a split in two at random, with the same share of each class.

    Args:
        split: The split to divide.
        share: Share of each class to hold out, above 0 and below 1, rounded to whole images.
        seed: The same seed holds out the same images.

    Returns:
        The rest and the held-out part, both in the order of `split`, as read-only arrays.
    """
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(split.labels), bool)
    for label in range(len(CLASS_NAMES)):
        members = np.flatnonzero(split.labels == label)
        held_out[rng.permutation(members)[: round(share * len(members))]] = True
    return _select(split, ~held_out), _select(split, held_out)


def summarise(train: Split) -> TrainSummary:
    """Compute the summary of a training split in which every class occurs."""
    labels, first, counts = np.unique(train.labels, return_index=True, return_counts=True)
    means = [train.images[train.labels == label].mean(axis=0) for label in labels]
    return TrainSummary(
        class_counts=counts.astype(np.int64),
        class_means=np.stack(means).astype(np.float32),
        examples=train.images[first],
        example_indices=first.astype(np.int64),
    )


def _select(split: Split, mask: NDArray[np.bool_]) -> Split:
    """Return the images and labels at which `mask` is true, as read-only arrays."""
    selected = Split(split.images[mask], split.labels[mask])
    selected.images.flags.writeable = selected.labels.flags.writeable = False
    return selected
