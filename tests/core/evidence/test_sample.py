"""Any set of filters off, compared with a forward pass with their maps constant."""

import numpy as np
import pytest

from core.dataset import CLASS_NAMES, Split
from core.evidence import answers, sample
from core.evidence.ablation import convolutions, predict, switched_off
from core.evidence.answers import count_answers
from core.evidence.sample import Sample
from core.evidence.statistics import wilson
from core.network import (
    logits,
)
from tests.core.evidence.small_networks import NETWORKS, logits_with_constants

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("to_mean", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_set_off_is_a_forward_pass_without_it(name, to_mean, monkeypatch):
    def to_input(pixels):
        return pixels[..., np.newaxis].astype(np.float32) / 255

    # The real one takes only images of Fashion-MNIST's size.
    for module in (sample, answers):
        monkeypatch.setattr(module, "to_input", to_input)
    network = NETWORKS[name]
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (70, 9, 8), dtype=np.uint8)
    labels = rng.permutation(np.arange(70) % CLASSES).astype(np.uint8)
    some = Sample(network, Split(pixels, labels))
    images = to_input(pixels)
    outputs = network.activations(images)
    layers = convolutions(network)
    means = {layer.name: outputs[layer.name].mean(axis=(0, 1, 2)) for layer in layers}
    zeros = {name: np.zeros_like(mean) for name, mean in means.items()}
    for _ in range(10):
        off = {}
        for layer in layers:
            filters = layer.output_shape[-1]
            chosen = np.flatnonzero(rng.random(filters) < rng.choice([0, 0.3, 1]))
            if len(chosen):
                off[layer.name] = tuple(chosen.tolist())
        expected = logits_with_constants(network, images, off, means if to_mean else zeros)
        found = some.logits(off, means if to_mean else None)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        changed = switched_off(network, off, means if to_mean else None)
        np.testing.assert_allclose(logits(changed.layers, images), expected, rtol=1e-4, atol=1e-5)
        for index in (0, 69):
            one = {layer: values[index] for layer, values in outputs.items()}
            shares = predict(network, one, off, means if to_mean else None)
            exponentials = np.exp(expected[index] - expected[index].max())
            np.testing.assert_allclose(shares, exponentials / exponentials.sum(), atol=1e-5)
        counted = some.answers(off, means if to_mean else None)
        right = [int(np.argmax(one)) == label for one, label in zip(expected, labels, strict=True)]
        assert counted.counts == (7,) * CLASSES
        assert counted.accuracy == pytest.approx(np.mean(right))
        assert counted.interval == wilson(sum(right), 70)
        for label, share in enumerate(counted.class_accuracy):
            own = [hit for hit, one in zip(right, labels, strict=True) if one == label]
            assert share == pytest.approx(np.mean(own))
        assert count_answers(changed, Split(pixels, labels), lambda *_: None) == counted
