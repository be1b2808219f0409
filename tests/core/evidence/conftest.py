"""Fixtures of the small network's insights."""

import numpy as np
import pytest

from core.dataset import CLASS_NAMES, to_input
from core.evidence.measure import compute
from tests.core.evidence.small_model import make_network, make_split

CLASSES = len(CLASS_NAMES)


@pytest.fixture(scope="module")
def network():
    return make_network()


@pytest.fixture(scope="module")
def split():
    return make_split()


@pytest.fixture(scope="module")
def computed(network, split):
    return compute(network, split, epochs=[make_network(seed=5), network])


@pytest.fixture(scope="module")
def maps(network, split):
    """The convolution's output for each image, (n, 8, 8, 3)."""
    return np.concatenate([network.layers[0](to_input(one[np.newaxis])) for one in split.images])
