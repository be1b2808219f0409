"""Updating a pre-activation is computing it anew, for a convolution and a dense layer."""

import numpy as np
import pytest

from core.dataset import CLASS_NAMES
from core.evidence.ablation import convolutions
from core.evidence.channel_change import (
    ChannelChange,
    is_linear_before_activation,
    layers_after_sums,
    next_mixing_layer,
)
from core.network import (
    Conv2D,
    Dense,
    Slide,
    logits,
)
from tests.core.evidence.small_networks import NETWORKS

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [[], [1], [0, 2], [0, 1, 2]])
@pytest.mark.parametrize("kind", ["convolution", "dense layer"])
def test_changed_channels_give_the_pre_activation_of_the_changed_input(kind, channels):
    rng = np.random.default_rng(4)
    if kind == "convolution":
        rows, cols = (Slide.padded(size, 3, 2, "same") for size in (7, 6))
        weights = {"kernel": rng.normal(size=(3, 3, 3, 4)).astype(np.float32)}
        layer = Conv2D("layer", (7, 6, 3), rows, cols, weights)
    else:
        weights = {"kernel": rng.normal(size=(3, 4)).astype(np.float32)}
        layer = Dense("layer", (3,), weights)
    layer = layer.with_weights({**weights, "bias": rng.normal(size=4).astype(np.float32)})
    before = rng.normal(size=(5, *layer.input_shape)).astype(np.float32)
    after = before.copy()
    after[..., channels] = 0.5
    change = (after - before)[..., channels]
    z = layer.pre_activation(before)
    found = ChannelChange(layer, np.array(channels, int)).pre_activation(z, change)
    np.testing.assert_allclose(found, layer.pre_activation(after), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_after_the_sums_are_the_rest_of_the_network(name):
    network = NETWORKS[name]
    images = RNG.random((3, 9, 8, 1), dtype=np.float32)
    for layer in convolutions(network):
        at = next_mixing_layer(network, layer)
        if not is_linear_before_activation(network.layers[at]):
            continue
        z = network.pre_activations(images)[network.layers[at].name]
        rest = layers_after_sums(network.layers[at], network.layers[at + 1 :])
        found = logits(rest, z) if rest else z
        np.testing.assert_allclose(found, logits(network.layers, images), rtol=1e-4, atol=1e-5)
