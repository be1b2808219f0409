"""A sample of images for which the logits with any set of filters off are computed quickly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from core.dataset import Split, to_input
from core.evidence.ablation import Off, constants, convolutions, switched_off
from core.evidence.answers import Answers
from core.evidence.channel_change import (
    ChannelChange,
    channels_of,
    is_linear_before_activation,
    layers_after_sums,
    next_mixing_layer,
    run,
)
from core.network import Array, Layer, Network, logits

# Images per batch, few enough that their feature maps stay in the processor's cache.
_BATCH_SIZE = 16


class Sample:
    """Some images, and what is needed to compute their logits with any filters off.

    For each convolution, the next layer that mixes channels is kept in memory: its input x and its
    pre-activation z with all filters on. With filters off, z' follows from the channels that change
    (`ChannelChange`), and only the layers after it are computed anew.
    """

    def __init__(self, network: Network, split: Split) -> None:
        """Run the network over the images (1,000 take 60 MB with the tutorial's network)."""
        self._network, self._split = network, split
        linear: dict[int, Layer] = {}  # index of a mixing layer to the convolution before it
        for layer in convolutions(network):
            at = next_mixing_layer(network, layer)
            if is_linear_before_activation(network.layers[at]):
                linear[at] = layer
        inputs = {at: self._empty(network.layers[at].input_shape) for at in linear}
        self._sums = {at: self._empty(network.layers[at].output_shape) for at in linear}
        self._all_on = self._empty(network.layers[-1].output_shape)  # logits
        for part in self._parts():
            x = to_input(split.images[part])
            for at, layer in enumerate(network.layers):
                z = layer.pre_activation(x)
                if at in linear:
                    inputs[at][part] = x
                    self._sums[at][part] = z
                x = layer.activate(z)
            self._all_on[part] = z
        self._inputs = {
            at: _SparseChannels(inputs.pop(at), layer.output_shape[-1])
            for at, layer in linear.items()
        }

    def answers(self, off: Off, means: Mapping[str, Array] | None = None) -> Answers:
        """Count the right answers with filters off; arguments as in `switched_off`."""
        return Answers.of(self.logits(off, means), self._split.labels)

    def logits(self, off: Off, means: Mapping[str, Array] | None = None) -> Array:
        """Return the logits (n, classes) with filters off; arguments as in `switched_off`."""
        first = next((one for one in convolutions(self._network) if off.get(one.name)), None)
        if first is None:
            return self._all_on
        at = next_mixing_layer(self._network, first)
        if at not in self._sums:
            layers = switched_off(self._network, off, means).layers
            batches = (to_input(self._split.images[part]) for part in self._parts())
            return np.concatenate([logits(layers, batch) for batch in batches])
        later = {name: filters for name, filters in off.items() if name != first.name}
        mixing, *following = switched_off(self._network, later, means).layers[at:]
        rest = layers_after_sums(mixing, following)
        result = np.empty_like(self._all_on)
        for part, z in self._changed_sums(at, first, off[first.name], constants(first, means)):
            result[part] = logits(rest, z) if rest else z
        return result

    def _changed_sums(
        self, at: int, convolution: Layer, off: Sequence[int], values: Array
    ) -> Iterator[tuple[slice, Array]]:
        """Yield parts of the images, with a mixing layer's pre-activation for each.

        Args:
            at: Index of the mixing layer.
            convolution: The convolution before it.
            off: Those of its filters that are off.
            values: The value of each of its filters when off, (filters,).
        """
        count, mixing = convolution.output_shape[-1], self._network.layers[at]
        between = self._network.layers[self._network.layers.index(convolution) + 1 : at]
        maps = np.full((1, *convolution.output_shape), values)
        constant = run(between, maps)  # (1, *mixing.input_shape), as if all filters were off
        if len(off) <= count // 2:
            channels = channels_of(off, count, constant.shape[-1])
            weights = ChannelChange(mixing, channels)
            constant, x_off = constant[..., channels], self._inputs[at].channels(off)
            for part in self._parts():
                change = np.subtract(constant, x_off[part], order="C")
                yield part, weights.pre_activation(self._sums[at][part], change)
            return
        # Fewer filters are on: begin with their channels at 0, and change these to x.
        on = [index for index in range(count) if index not in off]
        channels = channels_of(on, count, constant.shape[-1])
        constant[..., channels] = 0
        z = mixing.pre_activation(constant)  # (1, *mixing.output_shape)
        weights, x_on = ChannelChange(mixing, channels), self._inputs[at].channels(on)
        for part in self._parts():
            yield part, weights.pre_activation(z, np.ascontiguousarray(x_on[part]))

    def _parts(self) -> Iterator[slice]:
        for start in range(0, len(self._split.labels), _BATCH_SIZE):
            yield slice(start, start + _BATCH_SIZE)

    def _empty(self, shape: tuple[int, ...]) -> Array:
        """Return an array with room for all images, (n, *shape)."""
        return np.empty((len(self._split.images), *shape), np.float32)


class _SparseChannels:
    """An array with many zeros, stored as a bit mask and the other values, channel by channel."""

    def __init__(self, x: Array, count: int) -> None:
        """Store x, (n, …, channels); `count` channels, in a flattened map once per position."""
        self._shape = (*x.shape[:-1], x.shape[-1] // count)
        parts = [x[..., channel::count] for channel in range(count)]
        self._masks = [np.packbits(part != 0) for part in parts]
        self._values = [part[part != 0] for part in parts]

    def channels(self, chosen: Sequence[int]) -> Array:
        """Return some of the channels, (n, …, chosen), in the order of the array."""
        x = np.zeros((len(chosen), *self._shape), np.float32)
        for part, channel in zip(x, chosen, strict=True):
            mask = np.unpackbits(self._masks[channel], count=part.size).view(np.bool_)
            part[mask.reshape(part.shape)] = self._values[channel]
        return np.moveaxis(x, 0, -1).reshape(*self._shape[:-1], -1)
