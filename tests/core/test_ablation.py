"""Filters switched off, held to a forward pass with the filter's map set to 0."""

import numpy as np
import pytest

from core.ablation import EachFilterOff, Tally, convolutions, logits
from core.dataset import CLASS_NAMES
from core.network import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Network,
    ReLU,
    Slide,
    Softmax,
)

RNG = np.random.default_rng(0)
CLASSES = len(CLASS_NAMES)


def weights(*shape):
    kernel = RNG.normal(0, 0.4, shape).astype(np.float32)
    return {"kernel": kernel, "bias": RNG.normal(0, 0.4, shape[-1]).astype(np.float32)}


def normalization(channels):
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return {name: RNG.uniform(0.5, 2, channels).astype(np.float32) for name in names}


def conv(name, shape, filters, padding="valid", stride=1, activation="relu"):
    rows, cols = (Slide.padded(size, 3, stride, padding) for size in shape[:2])
    return Conv2D(name, shape, rows, cols, weights(3, 3, shape[2], filters), activation)


def pool(kind, name, shape):
    rows, cols = (Slide.padded(size, 2, 2, "same") for size in shape[:2])
    return kind(name, shape, rows, cols)


def chain(*makers):
    """A network of 9×8 images; each maker takes its input's shape."""
    layers, shape = [], (9, 8, 1)
    for make in makers:
        layers.append(make(shape))
        shape = layers[-1].output_shape
    return Network((9, 8, 1), layers)


def dense(name, units, activation):
    return lambda shape: Dense(name, shape, weights(shape[-1], units), activation)


NETWORKS = {
    "the tutorial's order": chain(
        lambda shape: conv("first", shape, 4),
        lambda shape: pool(MaxPooling2D, "pool", shape),
        lambda shape: conv("second", shape, 5, padding="same", stride=2),
        lambda shape: Flatten("flat", shape),
        dense("dense", 6, "relu"),
        dense("last", CLASSES, "softmax"),
    ),
    "a constant that is not 0 behind it": chain(
        lambda shape: conv("first", shape, 3, activation="linear"),
        lambda shape: BatchNormalization("norm", shape, normalization(shape[-1]), 1e-3),
        lambda shape: ReLU("relu", shape),
        lambda shape: pool(AveragePooling2D, "pool", shape),
        lambda shape: conv("second", shape, 4, padding="same", activation="tanh"),
        lambda shape: Activation("sigmoid", shape, "sigmoid"),
        lambda shape: GlobalAveragePooling2D("mean", shape),
        dense("last", CLASSES, "softmax"),
    ),
    "no weights behind it": chain(
        lambda shape: conv("first", shape, 3),
        lambda shape: conv("second", shape, CLASSES, activation="linear"),
        lambda shape: GlobalAveragePooling2D("mean", shape),
        lambda shape: Softmax("softmax", shape),
    ),
    "channels that compete": chain(
        lambda shape: conv("first", shape, 3),
        lambda shape: Softmax("between", shape),
        lambda shape: Flatten("flat", shape),
        dense("last", CLASSES, "softmax"),
    ),
}


def without(network, images, name, index):
    """The logits of a whole forward pass with one map set to 0."""
    x = images
    for layer in network.layers[:-1]:
        x = layer(x).copy()
        if layer.name == name:
            x[..., index] = 0
    return network.layers[-1].pre_activation(x)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_filter_off_is_a_forward_pass_without_it(name):
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


def test_logits_are_what_the_softmax_gets():
    network = NETWORKS["the tutorial's order"]
    images = RNG.random((3, 9, 8, 1), dtype=np.float32)
    exponentials = np.exp(logits(network.layers, images))
    shares = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, network.predict(images), rtol=1e-5)


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
