"""Filters switched off: which, what stands in their place, and the network without them.

To switch a filter off is to set its activation map to a constant (0, or its mean over the test
images), the kernel untouched. The layers after it get a channel that does not depend on the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote

import numpy as np

from core.network import Array, Conv2D, Layer, Network

Off = Mapping[str, Sequence[int]]
"""A convolution's name to those of its filters that are off, ascending."""


def convolutions(network: Network) -> tuple[Layer, ...]:
    """Return the layers whose filters can be switched off."""
    return tuple(layer for layer in network.layers if isinstance(layer, Conv2D))


def parse(text: str, network: Network) -> tuple[Off, tuple[str, ...]]:
    """Read the text that `spell` writes.

    Args:
        text: "conv_layer_1:3,17;conv_layer_3:5".
        network: The network that has the filters.

    Returns:
        The filters that are off, read-only, and the words of the text that name none of the
        network's filters.
    """
    counts = tuple((layer.name, layer.output_shape[-1]) for layer in convolutions(network))
    return _parse(text, counts)


# A page reads the same text several times per script run.
@lru_cache(256)
def _parse(text: str, filter_counts: tuple[tuple[str, int], ...]) -> tuple[Off, tuple[str, ...]]:
    counts = dict(filter_counts)
    off: dict[str, set[int]] = {name: set() for name in counts}
    wrong = []
    for part in filter(None, text.split(";")):
        quoted_name, _, numbers = part.rpartition(":")
        name = unquote(quoted_name)
        for word in numbers.split(","):
            is_number = word.isascii() and word.isdecimal() and len(word) < 6
            if name in counts and is_number and int(word) < counts[name]:
                off[name].add(int(word))
            else:
                wrong.append(f"{name}:{word}" if name else word)
    found = {name: tuple(sorted(filters)) for name, filters in off.items() if filters}
    return MappingProxyType(found), tuple(wrong)


def spell(off: Off) -> str:
    """Return the filters as they are written in a URL; "" if none is off."""
    # Quoted, because a layer's name may contain ":", "," or ";".
    words = {quote(name, safe=" "): ",".join(map(str, filters)) for name, filters in off.items()}
    return ";".join(f"{name}:{filters}" for name, filters in words.items())


class ConstantChannels(Layer):
    """A layer that sets some channels of its input to constants."""

    def __init__(self, layer: Layer, filters: Sequence[int], constants: Array) -> None:
        """Follow a convolution.

        Args:
            layer: The convolution.
            filters: Its filters that are off.
            constants: The value of each of its filters when off, (filters of the layer,).
        """
        super().__init__(f"{layer.name} with filters off", layer.output_shape)
        self._filters = list(filters)
        self._constants = constants[self._filters]

    def pre_activation(self, x: Array) -> Array:
        """Return the maps, (n, *output_shape)."""
        x = x.copy()
        x[..., self._filters] = self._constants
        return x


def switched_off(network: Network, off: Off, means: Mapping[str, Array] | None = None) -> Network:
    """Return the network with filters off.

    Args:
        network: A network, unchanged.
        off: Which filters.
        means: The constant of each filter, (filters,) by convolution; 0 without it.
    """
    layers: list[Layer] = []
    for layer in network.layers:
        layers.append(layer)
        if off.get(layer.name):
            layers.append(ConstantChannels(layer, off[layer.name], constants(layer, means)))
    return Network(network.input_shape, layers)


def predict(
    network: Network,
    activations: Mapping[str, Array],
    off: Off,
    means: Mapping[str, Array] | None = None,
) -> Array:
    """Return the network's output for one image with filters off, without the batch axis.

    Args:
        network: A network.
        activations: Each layer's output for the image with all filters on, without the batch axis;
            only the layers after the first one with filters off are computed.
        off, means: As in `switched_off`.
    """
    first = next((one for one in network.layers if off.get(one.name)), network.layers[-1])
    x: Array = activations[first.name][np.newaxis]
    for layer in switched_off(network, off, means).layers[network.layers.index(first) + 1 :]:
        x = layer(x)
    output: Array = x[0]
    return output


def constants(layer: Layer, means: Mapping[str, Array] | None) -> Array:
    """Return the value of each filter's map when it is off, (filters,); arguments as in
    `switched_off`."""
    if means is not None:
        return means[layer.name]
    return np.zeros(layer.output_shape[-1], np.float32)
