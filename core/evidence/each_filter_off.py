"""The logits without each filter of a convolution, one filter off at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import takewhile

import numpy as np

from core.evidence.channel_change import (
    ChannelChange,
    channels_of,
    is_linear_before_activation,
    layers_after_sums,
    next_mixing_layer,
    run,
)
from core.network import Array, Dense, Layer, Network, logits

# Values of several filters' results that pass a dense layer together: 16 MiB.
MAX_VALUES_TOGETHER = 2**22


class EachFilterOff:
    """Compute the logits without each filter of one convolution, its map 0 instead.

    `ChannelChange` has the arithmetic. From the next dense layer on, many filters' results pass the
    layers together, because one large matrix product is faster than 64 small ones.
    """

    def __init__(self, network: Network, layer: Layer) -> None:
        """Prepare to switch off the filters of `layer`, a convolution of the network."""
        after, at = network.layers.index(layer) + 1, next_mixing_layer(network, layer)
        self._following = network.layers[after:]
        self._between = network.layers[after:at]
        self._mixing = network.layers[at]
        self._is_linear = is_linear_before_activation(self._mixing)
        if not self._is_linear:
            return
        rest = layers_after_sums(self._mixing, network.layers[at + 1 :])
        self._alone = list(takewhile(lambda layer: not isinstance(layer, Dense), rest[:-1]))
        self._alone_shape = (self._mixing, *self._alone)[-1].output_shape
        self._together = rest[len(self._alone) :]
        count, size = layer.output_shape[-1], self._mixing.input_shape[-1]
        self._changes = [
            ChannelChange(self._mixing, channels_of([index], count, size)) for index in range(count)
        ]
        off = np.zeros((1, *layer.output_shape), np.float32)
        self._constant = run(self._between, off)  # (1, *mixing.input_shape)

    def logits(self, output: Array) -> Array:
        """Return the logits without each filter, (filters, n, classes).

        Args:
            output: The convolution's output for some images, (n, *output_shape).
        """
        if not self._is_linear:
            return np.stack([logits(self._following, without) for without in _each_zero(output)])
        x = run(self._between, output)  # (n, *mixing.input_shape)
        z = self._mixing.pre_activation(x)  # (n, *mixing.output_shape)
        changes = _by_filter(self._constant - x, len(self._changes))
        return np.concatenate(
            [self._group(z, changes, filters) for filters in self._groups(len(x))]
        )

    def _groups(self, n: int) -> list[range]:
        """Return groups of filters that pass the layers together, for a batch of n images."""
        count = len(self._changes)
        values = n * math.prod(self._alone_shape)  # per filter
        size = max(MAX_VALUES_TOGETHER // values, 1)
        return [range(start, min(start + size, count)) for start in range(0, count, size)]

    def _group(self, z: Array, changes: Array, filters: range) -> Array:
        """Return the logits without each of some filters, (filters, n, classes)."""
        results = np.empty((len(filters), len(z), *self._alone_shape), np.float32)
        for result, index in zip(results, filters, strict=True):
            changed = self._changes[index].pre_activation(z, changes[index])
            result[...] = run(self._alone, changed)
        if not self._together:
            return results
        rows = results.reshape(-1, *self._alone_shape)  # (filters·n, *shape)
        return logits(self._together, rows).reshape(len(filters), len(z), -1)


def _by_filter(change: Array, count: int) -> Array:
    """Return each filter's part of a change as one block, (filters, *change.shape[:-1], channels).

    Args:
        change: The change of the mixing layer's input with all filters off, (n, *input_shape).
        count: How many filters the convolution has.
    """
    by_channel = change.reshape(*change.shape[:-1], -1, count)
    return np.ascontiguousarray(np.moveaxis(by_channel, -1, 0))


def _each_zero(output: Array) -> Iterator[Array]:
    """Yield copies of feature maps (n, h, w, filters), in each of them one filter's map 0."""
    for channel in range(output.shape[-1]):
        without = output.copy()
        without[..., channel] = 0
        yield without
