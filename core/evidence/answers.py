"""Right answers of a network, counted by class, for one network or for many variants of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.command_line.progress import Progress
from core.dataset import CLASS_NAMES, Split, to_input
from core.evidence.statistics import wilson
from core.network import Array, Network, logits

Shares = NDArray[np.float64]

# Images per batch, few enough that their feature maps stay in the processor's cache.
_BATCH_SIZE = 16


@dataclass(frozen=True)
class Answers:
    """Right answers of a network by class (`right`), and images by class (`counts`)."""

    right: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, outputs: Array, labels: NDArray[np.uint8]) -> Answers:
        """Count, given the logits or probabilities (n, classes) and the labels (n,) of images."""
        hits = labels[outputs.argmax(axis=1) == labels]
        classes = len(CLASS_NAMES)
        return cls(
            tuple(np.bincount(hits, minlength=classes).tolist()),
            tuple(np.bincount(labels, minlength=classes).tolist()),
        )

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return sum(self.right) / sum(self.counts)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy on all images, of which these are a sample."""
        return wilson(sum(self.right), sum(self.counts))

    @property
    def class_accuracy(self) -> list[float]:
        """The share of right answers among the images of each class; 0 for a class without any."""
        pairs = zip(self.right, self.counts, strict=True)
        return [right / max(count, 1) for right, count in pairs]


def count_answers(network: Network, split: Split, progress: Progress) -> Answers:
    """Count the right answers over all images of a split, in bounded memory."""
    batches = []
    total = len(split.labels)
    for start in range(0, total, _BATCH_SIZE):
        progress(start / total, f"{start:,} of {total:,} images")
        batches.append(logits(network.layers, to_input(split.images[start : start + _BATCH_SIZE])))
    progress(1.0, "done")
    return Answers.of(np.concatenate(batches), split.labels)


class Tally:
    """Right answers counted, for several variants of a network at once."""

    def __init__(self, variants: int) -> None:
        """Start with no image."""
        classes = len(CLASS_NAMES)
        self._counts = np.zeros(classes)
        # For each variant and pair of classes: images of the first for which its logit wins.
        self._wins = np.zeros((variants, classes, classes))
        self._right = np.zeros((variants, classes))

    def add(self, logits: Array, labels: NDArray[np.uint8]) -> None:
        """Count some images: their logits (variants, n, classes) and labels (n,)."""
        classes = np.arange(len(CLASS_NAMES))
        own = np.take_along_axis(logits, labels[np.newaxis, :, np.newaxis].astype(np.intp), axis=2)
        # Of equal logits the first class's wins, as in argmax.
        wins = (own > logits) | ((own == logits) & (labels[:, np.newaxis] < classes))
        of_class = (labels == classes[:, np.newaxis]).astype(np.float32)
        self._counts += of_class.sum(axis=1)
        self._wins += of_class @ wins.astype(np.float32)
        self._right += (wins.sum(axis=2) == len(CLASS_NAMES) - 1) @ of_class.T

    @property
    def accuracy(self) -> Shares:
        """Share of right answers, (variants,)."""
        shares: Shares = self._right.sum(axis=1) / self._counts.sum()
        return shares

    @property
    def class_accuracy(self) -> Shares:
        """Share of right answers among the images of each class, (variants, classes)."""
        return self._right / self._counts

    @property
    def pair_accuracy(self) -> Shares:
        """Share of right answers among the images of two classes when only their two logits
        compete, (variants, classes, classes); 1 for a class and itself."""
        counts = self._counts + self._counts[:, np.newaxis]
        shares: Shares = (self._wins + self._wins.swapaxes(1, 2)) / counts
        every = np.arange(len(CLASS_NAMES))
        shares[:, every, every] = 1
        return shares
