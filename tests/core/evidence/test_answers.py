"""A tally is a plain count."""

import numpy as np
import pytest

from core.dataset import CLASS_NAMES
from core.evidence.answers import Tally

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


def test_a_tally_is_a_plain_count():
    rng = np.random.default_rng(1)
    # Few different values, so that many are equal.
    logits = rng.integers(0, 4, (3, 60, CLASSES)).astype(np.float32)
    labels = rng.permutation(np.arange(60) % CLASSES).astype(np.uint8)
    tally = Tally(3)
    for part in (slice(0, 13), slice(13, 60)):
        tally.add(logits[:, part], labels[part])
    for variant in range(3):
        right = [
            int(np.argmax(image)) == label
            for image, label in zip(logits[variant], labels, strict=True)
        ]
        assert tally.accuracy[variant] == pytest.approx(np.mean(right))
        for first in range(CLASSES):
            of_first = [hit for hit, label in zip(right, labels, strict=True) if label == first]
            assert tally.class_accuracy[variant, first] == pytest.approx(np.mean(of_first))
            for second in range(first + 1, CLASSES):
                pair = [
                    (first if image[first] >= image[second] else second) == label
                    for image, label in zip(logits[variant], labels, strict=True)
                    if label in (first, second)
                ]
                for found in (
                    tally.pair_accuracy[variant, first, second],
                    tally.pair_accuracy[variant, second, first],
                ):
                    assert found == pytest.approx(np.mean(pair))
    assert (tally.pair_accuracy[:, range(CLASSES), range(CLASSES)] == 1).all()
