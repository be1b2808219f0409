"""Networks of small images, with the layers that may stand behind a convolution."""

import numpy as np

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

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


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
    "a maximum behind what sums up": chain(
        lambda shape: conv("first", shape, 4),
        lambda shape: conv("second", shape, 5, padding="same", activation="tanh"),
        lambda shape: pool(MaxPooling2D, "pool", shape),
        lambda shape: conv("third", shape, 3, activation="softmax"),
        lambda shape: pool(MaxPooling2D, "pool again", shape),
        lambda shape: Flatten("flat", shape),
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


def logits_with_constants(network, images, off, constants):
    """The logits of a whole forward pass with maps set to constants."""
    x = images
    for layer in network.layers[:-1]:
        x = layer(x).copy()
        for index in off.get(layer.name, ()):
            x[..., index] = constants[layer.name][index]
    return network.layers[-1].pre_activation(x)
