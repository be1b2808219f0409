"""The forward pass: a network is a tuple of layers, and runs them one after the other.

    for layer in network.layers:
        x = layer(x)

Nothing changes after construction, so any number of threads may share a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from core.network.base import Layer
from core.network.geometry import Field
from core.network.keras_file import KerasFile
from core.network.keras_layers import read_layer
from core.network.types import Array, Shape

# Images at a time, few enough that their feature maps stay in the processor's cache from one layer
# to the next: with the tutorial's network 8 to 32 take the same time, fewer or more take longer.
BATCH_SIZE = 8


class Network:
    """A chain of layers.

    Attributes:
        input_shape: height, width and channels of an image.
        layers: the layers in order; the InputLayer of Keras is not one of them.
    """

    def __init__(self, input_shape: tuple[int, int, int], layers: Iterable[Layer]) -> None:
        """Chain the layers; each must take what the one before it returns."""
        self.input_shape = input_shape
        self.layers = tuple(layers)
        self._by_name = {layer.name: layer for layer in self.layers}

    @classmethod
    def load(cls, path: str | Path | BinaryIO, name: str = "") -> Self:
        """Read a `.keras` file. Keras is not needed, and nothing in the file is executed.

        Args:
            path: Path of the file, or an open file that can be read at any position.
            name: What errors call the file; the last part of its path by default.

        Raises:
            ModelError: The file is missing or damaged, or it uses something that is not supported.
        """
        with KerasFile(path, name) as file:
            layers: list[Layer] = []
            shape: Shape = file.input_shape
            for config in file.layers:
                layers.append(read_layer(config, shape, partial(file.read_weights, config)))
                shape = layers[-1].output_shape
        return cls(file.input_shape, layers)

    def with_weights(self, weights: Mapping[str, Mapping[str, Array]]) -> Network:
        """Return the same network with other weights, by layer and name as in `Layer.weights`."""
        return Network(
            self.input_shape,
            [
                layer.with_weights(weights[layer.name]) if layer.weights else layer
                for layer in self.layers
            ],
        )

    def layer(self, name: str) -> Layer:
        """Return the layer of that name; raise KeyError if there is none."""
        return self._by_name[name]

    @property
    def parameter_count(self) -> int:
        """Number of weights in all layers."""
        return sum(layer.parameter_count for layer in self.layers)

    @property
    def spatial_layers(self) -> tuple[Layer, ...]:
        """The layers whose output is a stack of feature maps (height, width, filters)."""
        return tuple(layer for layer in self.layers if len(layer.output_shape) == 3)

    def activations(self, images: Array) -> dict[str, Array]:
        """Return each layer's output (n, *output_shape) by the layer's name, in order.

        Treat the arrays as read-only: layers that only rearrange values share their memory.

        Args:
            images: float32 (n, *input_shape), values in [0, 1].

        Raises:
            ValueError: the images have another shape or type.
            ModelError: a layer's numbers are beyond `MAX_MAGNITUDE`.
        """
        x = self._checked(images)
        outputs = {}
        for layer in self.layers:
            x = outputs[layer.name] = layer(x)
        return outputs

    def pre_activations(self, images: Array) -> dict[str, Array]:
        """Return the pre-activation of each layer with an activation; before a softmax, the logits.

        Arguments, shapes and errors are those of `activations`.
        """
        x = self._checked(images)
        inputs = {}
        for layer in self.layers:
            z = layer.pre_activation(x)
            if layer.activation is not None:
                inputs[layer.name] = z
            x = layer.activate(z)
        return inputs

    def batches(
        self, images: Array, batch_size: int = BATCH_SIZE
    ) -> Iterator[tuple[slice, dict[str, Array]]]:
        """Compute the activations of many images in bounded memory, some images at a time.

        Yields:
            Which of the images these are, and their `activations`.
        """
        self._checked(images)
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            yield part, self.activations(images[part])

    def predict(self, images: Array, batch_size: int = BATCH_SIZE) -> Array:
        """Return the last layer's output, (n, *output_shape), in bounded memory.

        Arguments and errors are those of `activations`.
        """
        self._checked(images)
        predictions = np.empty((len(images), *self.layers[-1].output_shape), np.float32)
        for start in range(0, len(images), batch_size):
            x = images[start : start + batch_size]
            for layer in self.layers:
                x = layer(x)
            predictions[start : start + batch_size] = x
        return predictions

    def receptive_field(self, layer_name: str, row: int = 0, col: int = 0) -> Field:
        """Return the rectangle of input pixels that a unit of a layer depends on.

        The field is not clipped: where it reaches over the image's edge, the unit depends on
        padding. It is the smallest such rectangle, except that with padding deeper in the network
        its clipped part may include edge pixels that a stride or a valid pooling before the padding
        has skipped.

        Args:
            layer_name: name of the layer.
            row, col: the unit's position in the feature map, any filter. In a flat layer all units
                count as being at (0, 0), with the field of the whole last feature map.

        Raises:
            KeyError: no layer has this name.
            IndexError: the layer has no such position.

        Source: Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural Networks",
        Distill 2019.
        """
        unit_layer = self.layer(layer_name)
        height, width = unit_layer.output_shape[:2] if unit_layer in self.spatial_layers else (1, 1)
        if not (0 <= row < height and 0 <= col < width):
            raise IndexError(
                f"{layer_name} has {height}×{width} positions, but not ({row}, {col})."
            )
        index = self.layers.index(unit_layer)
        rows, cols = (row, row), (col, col)
        for layer in reversed(self.layers[: index + 1]):
            rows, cols = layer.row_slide.span(*rows), layer.col_slide.span(*cols)
        top, left = rows[0], cols[0]
        return Field(top, left, rows[1] - top + 1, cols[1] - left + 1)

    def _checked(self, images: Array) -> Array:
        if not isinstance(images, np.ndarray) or images.dtype != np.float32:
            kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
            raise ValueError(f"Images must be a float32 array, values in [0, 1], not {kind}.")
        if images.ndim != 4 or images.shape[1:] != self.input_shape:
            height, width, channels = self.input_shape
            raise ValueError(
                f"Images must have the shape (n, {height}, {width}, {channels}), "
                f"not {images.shape}."
            )
        return images


def logits(layers: Sequence[Layer], x: Array) -> Array:
    """Return the pre-activation of the last layer, (n, *output_shape).

    Args:
        layers: All layers of a network, or some at its end.
        x: A batch of the first one's input, (n, *input_shape).
    """
    *before, last = layers
    for layer in before:
        x = layer(x)
    return last.pre_activation(x)
