"""Filters switched off: what is left of the network's answer without them.

To switch a filter off is to set its activation map to a constant (0, or its mean), the kernel
untouched. The layers behind it see a channel that no longer says anything about the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.dataset import CLASS_NAMES
from core.network import Array, Conv2D, Dense, Layer, Network

Shares = NDArray[np.float64]


def convolutions(network: Network) -> tuple[Layer, ...]:
    """The layers whose filters can be switched off."""
    return tuple(layer for layer in network.layers if isinstance(layer, Conv2D))


def logits(layers: Sequence[Layer], x: Array) -> Array:
    """What the last layer feeds to its activation, (n, classes).

    Args:
        layers: a network's, or those at its end that x still has to pass.
        x: a batch that the first of them takes.
    """
    *before, last = layers
    for layer in before:
        x = layer(x)
    return last.pre_activation(x)


class EachFilterOff:
    """The filters of one convolution, one at a time set to 0.

    The next layer with weights only sums up what its input channels bring. So a filter is taken out
    by subtracting what its channel brought, instead of by a forward pass: of the tutorial's second
    convolution that is one channel of 64.
    """

    def __init__(self, network: Network, layer: Layer) -> None:
        """Prepare to switch off the filters of `layer`, a convolution of the network."""
        self._following = following = network.layers[network.layers.index(layer) + 1 :]
        at = next((at for at, one in enumerate(following) if isinstance(one, Conv2D | Dense)), None)
        # The layers between must treat each channel by itself, as all but a softmax do.
        if at is None or any(one.activation == "softmax" for one in following[:at]):
            self._reader = None
            return
        self._between = following[:at]
        self._reader = following[at]
        self._rest = following[at + 1 :]
        count = layer.output_shape[-1]
        self._channels = [_one_channel(self._reader, channel, count) for channel in range(count)]
        off = np.zeros((1, *layer.output_shape), np.float32)
        for one in self._between:
            off = one(off)
        self._off = off

    def logits(self, output: Array) -> Iterator[Array]:
        """For each filter, the logits (n, classes) without it.

        Args:
            output: the convolution's output for some images, (n, *output_shape).
        """
        if self._reader is None:
            for channel in range(output.shape[-1]):
                without = output.copy()
                without[..., channel] = 0
                yield logits(self._following, without)
            return
        x = output
        for layer in self._between:
            x = layer(x)
        whole = self._reader.pre_activation(x)
        says = x - self._off
        for part, brings in self._channels:
            without = whole - brings.pre_activation(np.ascontiguousarray(says[..., part]))
            if not self._rest:
                yield without
                continue
            yield logits(self._rest, self._reader.activate(without, out=without))


def _one_channel(reader: Layer, channel: int, count: int) -> tuple[slice, Layer]:
    """The part of a layer's input that one of `count` channels has, and a layer without a bias that
    sums only this."""
    kernel = reader.weights["kernel"]
    # A flattened map has its channels side by side, for one position after the other.
    part = slice(channel, None, count)
    shape = reader.input_shape[:-1]
    if isinstance(reader, Conv2D):
        one = {"kernel": np.ascontiguousarray(kernel[:, :, part])}
        return part, Conv2D(reader.name, (*shape, 1), reader.rows, reader.cols, one)
    one = {"kernel": np.ascontiguousarray(kernel[part])}
    return part, Dense(reader.name, (*shape, len(one["kernel"])), one)


class Tally:
    """Right answers counted, for several variants of a network at once."""

    def __init__(self, variants: int) -> None:
        """Start with no image."""
        classes = len(CLASS_NAMES)
        self._counts = np.zeros(classes)
        # For each variant and pair of classes: images of the first for which its logit wins.
        self._wins = np.zeros((variants, classes, classes))
        self._right = np.zeros((variants, classes))

    def add(self, logits: Array, labels: NDArray[np.uint8]) -> None:
        """Count some images: their logits (variants, n, classes) and labels (n,)."""
        classes = np.arange(len(CLASS_NAMES))
        own = np.take_along_axis(logits, labels[np.newaxis, :, np.newaxis].astype(np.intp), axis=2)
        # Of equal logits the first class's wins, as in argmax.
        wins = (own > logits) | ((own == logits) & (labels[:, np.newaxis] < classes))
        of_class = (labels == classes[:, np.newaxis]).astype(np.float32)
        self._counts += of_class.sum(axis=1)
        self._wins += of_class @ wins.astype(np.float32)
        self._right += (wins.sum(axis=2) == len(CLASS_NAMES) - 1) @ of_class.T

    @property
    def accuracy(self) -> Shares:
        """Share of right answers, (variants,)."""
        shares: Shares = self._right.sum(axis=1) / self._counts.sum()
        return shares

    @property
    def class_accuracy(self) -> Shares:
        """Share of right answers among the images of each class, (variants, classes)."""
        return self._right / self._counts

    @property
    def pair_accuracy(self) -> Shares:
        """Share of right answers among the images of two classes when only their two logits
        compete, (variants, classes, classes); 1 for a class and itself."""
        counts = self._counts + self._counts[:, np.newaxis]
        shares: Shares = (self._wins + self._wins.swapaxes(1, 2)) / counts
        every = np.arange(len(CLASS_NAMES))
        shares[:, every, every] = 1
        return shares
