"""The logits are the last layer's sums, before its softmax."""

import numpy as np

from core.dataset import CLASS_NAMES
from core.network import (
    logits,
)
from tests.core.evidence.small_networks import NETWORKS

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


def test_logits_are_what_the_softmax_gets():
    network = NETWORKS["the tutorial's order"]
    images = RNG.random((3, 9, 8, 1), dtype=np.float32)
    exponentials = np.exp(logits(network.layers, images))
    shares = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, network.predict(images), rtol=1e-5)
