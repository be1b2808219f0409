"""The map of the images: neighbours in it have similar features."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from core.dataset import CLASS_NAMES, to_input
from core.evidence.measure import compute

CLASSES = len(CLASS_NAMES)


def test_the_map_of_images(network, computed, split):
    """By what the last layer with weights takes."""
    x = to_input(split.images)
    for layer in network.layers[:-1]:
        x = layer(x)
    expected = PCA(2).fit_transform(x.astype(np.float64))
    signs = np.sign((computed.components * expected).sum(axis=0))
    np.testing.assert_allclose(computed.components * signs, expected, rtol=1e-4, atol=1e-5)
    # Neighbours in the embedding are neighbours among the features: more so than by chance.
    assert trustworthiness(x, computed.embedding) > 0.8


def test_the_same_embedding_each_time(network, split, computed):
    again = compute(network, split)
    np.testing.assert_allclose(again.embedding, computed.embedding, atol=1e-2)
