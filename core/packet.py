"""Pack for the browser's JavaScript: a network, its outputs for an image, a map of images.

First the length of the header in bytes (uint32), then the header (JSON, padded with spaces to a
multiple of 4), then the arrays one after another, in the order of the header's "arrays", which has
their shapes. Of an array there is a bit a number, 1 where it is not 0 (lowest bit first, padded to
a multiple of 4 bytes), then the numbers that are not 0. All are little-endian, those float32.
A map's arrays are whole numbers and stand there plainly: see `map_packet`.

After a ReLU two numbers of three are 0, so an image's packet has 40 % of all its bytes. zlib would
spare another 10 to 50 %, in ten times the time: with a class of students, time is what is scarce.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from core.network import Array, Dropout, Flatten, Layer, MaxPooling2D, Network, Slide

# What these give is picked from their input, so the browser can do it without a rounding error.
_PICKS = (MaxPooling2D, Flatten, Dropout)


def pack(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """A packet of a JSON-serializable header and float32 arrays of any shape."""
    shapes = {name: array.shape for name, array in arrays.items()}
    parts = _lead({**header, "arrays": shapes})
    for array in arrays.values():
        numbers = np.ravel(array)
        there = numbers != 0
        bits = np.packbits(there, bitorder="little").tobytes()
        parts += [bits, bytes(-len(bits) % 4), numbers[there].astype("<f4").tobytes()]
    return b"".join(parts)


def network_packet(network: Network, header: Mapping[str, Any], flat: bool) -> bytes:
    """All that does not depend on an image: the layers and their weights.

    Args:
        network: Whose layers to describe; weights are named "layer/weight".
        header: What else the browser needs.
        flat: Whether the weights of layers without maps are among them; of the tutorial's network
            they are five sixths.
    """
    layers = [_describe(layer) for layer in network.layers]
    weights = {
        f"{layer.name}/{name}": weight
        for layer in network.layers
        if flat or len(layer.output_shape) == 3
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


def map_packet(
    places: npt.NDArray[np.floating],
    labels: npt.NDArray[np.uint8],
    predictions: npt.NDArray[np.integer],
    confidences: npt.NDArray[np.floating],
    header: Mapping[str, Any],
) -> bytes:
    """A point for each of n images, eight bytes each.

    After the header, which gets their "count", "extent" and the "medians" of the classes: x, y and
    the confidence in tenths of a percent (uint16), the label and the prediction (uint8). x and y
    are on one scale, on which the longer side of the map goes from 0 to 65535.

    Args:
        places: Where each image is on the map, (n, 2).
        labels: Their true classes, (n,).
        predictions: Their most probable classes, (n,).
        confidences: The probabilities of these, 0 to 1, (n,).
        header: What else the browser needs.
    """
    low = places.min(axis=0).astype(np.float64)
    longer = float((places.max(axis=0) - low).max()) or 1.0
    scaled = (places - low) * (_FINEST / longer)
    medians = [np.median(scaled[labels == label], axis=0).tolist() for label in np.unique(labels)]
    known = {"count": len(places), "extent": scaled.max(axis=0).tolist(), "medians": medians}
    arrays = [
        *np.rint(scaled).astype("<u2").T,
        np.rint(1000 * confidences.astype(np.float64)).astype("<u2"),
        labels,
        predictions.astype(np.uint8),
    ]
    return b"".join([*_lead({**header, **known}), *(array.tobytes() for array in arrays)])


_FINEST = np.iinfo(np.uint16).max


def _lead(header: Mapping[str, Any]) -> list[bytes]:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return [len(text).to_bytes(4, "little"), text]


def _describe(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "activation": layer.activation,
        "input": layer.input_shape,
        "output": layer.output_shape,
        "rows": _describe_slide(layer.row_slide),
        "cols": _describe_slide(layer.col_slide),
    }


def _describe_slide(slide: Slide) -> dict[str, int]:
    return {
        "size": slide.size,
        "kernel": slide.window,
        "stride": slide.stride,
        "before": slide.before,
    }
