"""A network, and its outputs for an image, as bytes that the browser's JavaScript reads.

First the length of the header in bytes (uint32), then the header (JSON, padded with spaces to a
multiple of 4), then the arrays one after another, in the order of the header's "arrays", which has
their shapes. Of an array there is a bit a number, 1 where it is not 0 (lowest bit first, padded to
a multiple of 4 bytes), then the numbers that are not 0. All are little-endian, those float32.

After a ReLU two numbers of three are 0, so an image's packet has 40 % of all its bytes. zlib would
spare another 10 to 50 %, in ten times the time: with a class of students, time is what is scarce.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.network import Array, Dropout, Flatten, Layer, MaxPooling2D, Network, Slide

# What these give is picked from their input, so the browser can do it without a rounding error.
_PICKS = (MaxPooling2D, Flatten, Dropout)


def pack(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """A packet of a JSON-serializable header and float32 arrays of any shape."""
    shapes = {name: array.shape for name, array in arrays.items()}
    text = json.dumps({**header, "arrays": shapes}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    parts = [len(text).to_bytes(4, "little"), text]
    for array in arrays.values():
        numbers = np.ravel(array)
        there = numbers != 0
        bits = np.packbits(there, bitorder="little").tobytes()
        parts += [bits, bytes(-len(bits) % 4), numbers[there].astype("<f4").tobytes()]
    return b"".join(parts)


def network_packet(network: Network, header: Mapping[str, Any]) -> bytes:
    """All that does not depend on an image: the layers and their weights.

    Args:
        network: Whose layers to describe; weights are named "layer/weight".
        header: What else the browser needs.
    """
    layers = [_describe(layer) for layer in network.layers]
    weights = {
        f"{layer.name}/{name}": weight
        for layer in network.layers
        for name, weight in layer.weights.items()
    }
    return pack(
        {**header, "kind": "network", "input": network.input_shape, "layers": layers}, weights
    )


def image_packet(
    network: Network, image: Array, activations: Mapping[str, Array], header: Mapping[str, Any]
) -> bytes:
    """One image (h, w, channels) and the layers' outputs for it, without the batch axis."""
    outputs = {
        layer.name: activations[layer.name]
        for layer in network.layers
        if not isinstance(layer, _PICKS)
    }
    # A layer may be named anything, but not the empty string.
    return pack({**header, "kind": "image"}, {"": image, **outputs})


def _describe(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "activation": layer.activation,
        "input": layer.input_shape,
        "output": layer.output_shape,
        "rows": _describe_slide(layer.rows),
        "cols": _describe_slide(layer.cols),
    }


def _describe_slide(slide: Slide) -> dict[str, int]:
    return {
        "size": slide.size,
        "kernel": slide.kernel,
        "stride": slide.stride,
        "before": slide.before,
    }
