"""Each filter off, compared with a forward pass with its map set to 0."""

import numpy as np
import pytest

from core.dataset import CLASS_NAMES
from core.evidence import each_filter_off
from core.evidence.ablation import convolutions
from core.evidence.each_filter_off import EachFilterOff
from tests.core.evidence.small_networks import NETWORKS

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


def without(network, images, name, index):
    """The logits of a whole forward pass with one map set to 0."""
    x = images
    for layer in network.layers[:-1]:
        x = layer(x).copy()
        if layer.name == name:
            x[..., index] = 0
    return network.layers[-1].pre_activation(x)


@pytest.mark.parametrize("max_values_together", [1, 200, 2**22])
@pytest.mark.parametrize("name", NETWORKS)
def test_each_filter_off_is_a_forward_pass_without_it(name, max_values_together, monkeypatch):
    monkeypatch.setattr(each_filter_off, "MAX_VALUES_TOGETHER", max_values_together)
    network = NETWORKS[name]
    images = RNG.random((7, 9, 8, 1), dtype=np.float32)
    outputs = network.activations(images)
    assert convolutions(network)
    for layer in convolutions(network):
        found = list(EachFilterOff(network, layer).logits(outputs[layer.name]))
        assert len(found) == layer.output_shape[-1]
        for index, logits_without in enumerate(found):
            expected = without(network, images, layer.name, index)
            np.testing.assert_allclose(logits_without, expected, rtol=1e-4, atol=1e-5)
