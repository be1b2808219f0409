"""The arithmetic of "off": a layer's result when channels of its input become constant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from core.evidence.ablation import ConstantChannels
from core.network import Activation, Array, Conv2D, Dense, Layer, MaxPooling2D, Network


class ChannelChange:
    """Update a layer's pre-activation when some channels of its input change.

    The next layer that mixes channels, a convolution or a dense layer, is linear before its
    activation: z = W · x + bias. With filters off, only the channels `off` of its input x change,
    to a constant, and therefore

        z' = z + W[off] · (constant − x[off])

    where W[off] are the weights of these channels. For one of the 64 filters of the tutorial's
    first convolution this is 1/64 of the arithmetic of z'.
    """

    def __init__(self, layer: Layer, channels: NDArray[np.intp]) -> None:
        """Select the weights W[off].

        Args:
            layer: A layer that is linear before its activation.
            channels: Indices `off` on the last axis of its input.
        """
        self._layer = _of_channels(layer, channels)

    def pre_activation(self, z: Array, change: Array) -> Array:
        """Return z' = z + W[off] · change in a new array, (n, *layer.output_shape).

        Args:
            z: The pre-activation before the change, (n, *layer.output_shape) or (1, …).
            change: (constant − x)[off], (n, *layer.input_shape[:-1], channels).
        """
        if not change.shape[-1]:
            return np.zeros((len(change), *self._layer.output_shape), np.float32) + z
        changed = self._layer.weighted_sums(change)
        changed += z
        return changed


def next_mixing_layer(network: Network, layer: Layer) -> int:
    """Return the index of the first layer after a convolution that mixes channels."""
    following = range(network.layers.index(layer) + 1, len(network.layers))
    mixing = (
        index
        for index in following
        if is_linear_before_activation(network.layers[index])
        or network.layers[index].activation == "softmax"
    )
    return next(mixing, following[-1])


def is_linear_before_activation(layer: Layer) -> bool:
    """Return whether a layer's pre-activation is W · x + bias, with W across channels."""
    return isinstance(layer, Conv2D | Dense)


def channels_of(filters: Sequence[int], count: int, size: int) -> NDArray[np.intp]:
    """Return where a convolution's filters are on the last axis of a later layer's input.

    Args:
        filters: Some of the convolution's filters.
        count: How many it has.
        size: Length of the axis. It is `count` for feature maps; a flattened map has all channels
            of the first position, then all of the second, and so on.
    """
    return np.flatnonzero(np.isin(np.arange(size) % count, filters))


def run(layers: Iterable[Layer], x: Array) -> Array:
    """Return the output of a chain of layers for a batch x."""
    for layer in layers:
        x = layer(x)
    return x


def layers_after_sums(mixing: Layer, following: Sequence[Layer]) -> list[Layer]:
    """Return the layers from a mixing layer's activation to the end; none if it is the last.

    Monotonic activations commute with max pooling, and so do maps that are constant, so the pooling
    comes first: behind it there are fewer values to compute. Softmax is not monotonic.
    """
    if not following:
        return []
    activation = mixing.activation
    assert activation is not None, "convolutions and dense layers have one"
    constants = list(takewhile(lambda layer: isinstance(layer, ConstantChannels), following))
    rest = following[len(constants) :]
    if len(rest) > 1 and isinstance(rest[0], MaxPooling2D) and activation != "softmax":
        pooling, *rest = rest
        activate = Activation(mixing.name, pooling.output_shape, activation)
        return [pooling, activate, *constants, *rest]
    return [Activation(mixing.name, mixing.output_shape, activation), *following]


def _of_channels(layer: Layer, channels: NDArray[np.intp]) -> Conv2D | Dense:
    """Return a linear layer restricted to some channels of its input, without its bias."""
    assert isinstance(layer, Conv2D | Dense), "other layers are not linear"
    kernel = np.ascontiguousarray(layer.weights["kernel"][..., channels, :])
    shape = (*layer.input_shape[:-1], len(channels))
    if isinstance(layer, Conv2D):
        return Conv2D(layer.name, shape, layer.row_slide, layer.col_slide, {"kernel": kernel})
    return Dense(layer.name, shape, {"kernel": kernel})
