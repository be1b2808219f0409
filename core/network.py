"""A convolutional network in NumPy: layers, shapes, receptive fields and the forward pass.

It computes what Keras computes, a few plain lines for each layer, so that all of it can be read. An
image is a float32 array (height, width, channels) with values in [0, 1]; a batch has one more axis
in front. A network is a tuple of layers, and its forward pass is the loop

    for layer in network.layers:
        x = layer(x)

Nothing changes after construction, so any number of threads may share a network.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Concatenate, ParamSpec, Self, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core.keras_file import Array, KerasFile, LayerConfig, ModelError, Shape

__all__ = ["Array", "Field", "Layer", "ModelError", "Network", "Shape", "Slide"]

# Images at a time, few enough that their feature maps stay in the processor's cache from one layer
# to the next: with the tutorial's network 8 to 32 take the same time, fewer or more take longer.
BATCH_SIZE = 8

Pixel = TypeVar("Pixel", bound=np.generic)
Arguments = ParamSpec("Arguments")
AnyLayer = TypeVar("AnyLayer", bound="Layer")

MAX_VALUES = 2**25  # that one image may take up in one layer: 128 MiB
# Largest magnitude of a layer's numbers: of all test images the sum of their squares, which
# core.insights computes, is still finite in float32.
MAX_MAGNITUDE = 1e15


# Activations: float32 in, float32 of the same shape out, written into `out` where it is given.


def linear(z: Array, out: Array | None = None) -> Array:  # noqa: ARG001
    """Return z as it is."""
    return z


def relu(z: Array, out: Array | None = None) -> Array:
    """max(z, 0)."""
    return np.maximum(z, 0, out=out)


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """1 / (1 + exp(-z)), between 0 and 1."""
    # Written with tanh, the same function, because exp can overflow.
    out = np.tanh(0.5 * z, out=out)
    out += 1
    out *= 0.5
    return out


def tanh(z: Array, out: Array | None = None) -> Array:
    """The hyperbolic tangent, between -1 and 1."""
    return np.tanh(z, out=out)


def softmax(z: Array, out: Array | None = None) -> Array:
    """Probabilities from logits: exp(z), divided by its sum along the last axis."""
    # Subtracting the maximum changes nothing but keeps exp from overflowing.
    out = np.subtract(z, z.max(axis=-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=-1, keepdims=True)
    return out


ACTIVATIONS = {function.__name__: function for function in (linear, relu, sigmoid, tanh, softmax)}


@dataclass(frozen=True)
class Slide:
    """How a window slides along one axis of a feature map.

    Attributes:
        size: cells of the map along the axis.
        kernel: cells under the window.
        stride: cells from one position of the window to the next.
        before, after: cells of padding in front of the map and behind it.
    """

    size: int
    kernel: int = 1
    stride: int = 1
    before: int = 0
    after: int = 0

    @classmethod
    def padded(cls, size: int, kernel: int, stride: int, padding: str) -> Self:
        """The slide for Keras's `padding`, which is "valid" or "same".

        With "same" there are ceil(size / stride) positions. The padding that takes is split in two,
        and an odd cell goes behind the map.
        """
        total = 0
        if padding == "same":
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        return cls(size, kernel, stride, before=total // 2, after=total - total // 2)

    @property
    def positions(self) -> int:
        """Number of positions of the window, so cells of the output; below 1 if it does not fit."""
        return (self.before + self.size + self.after - self.kernel) // self.stride + 1

    def span(self, first: int, last: int) -> tuple[int, int]:
        """First and last cell under the window at positions `first` to `last`, padding included."""
        return (
            first * self.stride - self.before,
            last * self.stride - self.before + self.kernel - 1,
        )

    def inside(self) -> NDArray[np.intp]:
        """For each position, how many cells under the window are not padding."""
        start = np.arange(self.positions) * self.stride - self.before
        return np.minimum(start + self.kernel, self.size) - np.maximum(start, 0)

    def cells(self, offset: int) -> slice:
        """The padded map's cells that lie `offset` cells into each position of the window."""
        return slice(offset, offset + (self.positions - 1) * self.stride + 1, self.stride)


@dataclass(frozen=True)
class Field:
    """A rectangle of the input image, in pixels; it may reach over the image's edge."""

    top: int
    left: int
    height: int
    width: int

    def clip(self, height: int, width: int) -> Field:
        """The part of the field that lies on an image of that height and width."""
        top, left = max(self.top, 0), max(self.left, 0)
        bottom = min(self.top + self.height, height)
        right = min(self.left + self.width, width)
        return Field(top, left, max(bottom - top, 0), max(right - left, 0))

    def of(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        """What of an image (h, w) lies in a field that was clipped to it."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


class Layer:
    """One layer: a function of a batch, with its shapes and weights.

    This base class returns what it is given; each kind of layer, by its Keras class name, overrides
    what differs.

    Attributes:
        name: unique in the network.
        input_shape, output_shape: without the batch axis.
        weights: read-only arrays by their Keras names ("kernel", "bias", "gamma", ...).
        activation: name of the non-linearity, None for a kind of layer that has none.
        rows, cols: how its window slides over the input's rows and columns. A layer that works on
            each value by itself has a window of one cell; Flatten's covers the whole map.
    """

    activation: str | None = None

    def __init__(
        self,
        name: str,
        input_shape: Shape,
        output_shape: Shape | None = None,
        weights: Mapping[str, Array] = MappingProxyType({}),
    ) -> None:
        """Describe the layer; without an `output_shape`, the output has the input's shape."""
        self.name = name
        self.input_shape = input_shape
        self.output_shape = input_shape if output_shape is None else output_shape
        self.weights = weights
        # A flat input counts as one cell.
        height, width = input_shape[:2] if len(input_shape) == 3 else (1, 1)
        self.rows, self.cols = Slide(height), Slide(width)

    @property
    def kind(self) -> str:
        """The Keras class name."""
        return type(self).__name__

    @property
    def parameter_count(self) -> int:
        """Number of weights, the ones that training leaves alone included."""
        return sum(weight.size for weight in self.weights.values())

    @property
    def parameter_formula(self) -> str:
        """The count spelt out, a product of its shape for each weight: "3·3·1·64 + 64 = 640"."""
        if not self.weights:
            return "0"
        products = ("·".join(map(str, weight.shape)) for weight in self.weights.values())
        return f"{' + '.join(products)} = {self.parameter_count}"

    def pre_activation(self, x: Array) -> Array:
        """The layer's result before its non-linearity, for a batch `x` (n, *input_shape)."""
        return x

    def activate(self, z: Array, out: Array | None = None) -> Array:
        """The non-linearity, applied to the pre-activation; overwrites `out` if that is given."""
        return z if self.activation is None else ACTIVATIONS[self.activation](z, out)

    def with_weights(self, weights: Mapping[str, Array]) -> Layer:
        """The same layer with other weights, of the same names and shapes."""
        twin = copy.copy(self)
        twin.weights = weights
        return twin

    def __call__(self, x: Array) -> Array:
        """The layer's output (n, *output_shape) for a batch `x` (n, *input_shape)."""
        z = self.pre_activation(x)
        # A new z is nobody else's, and overwriting it is faster than one more array.
        return self.activate(z, out=None if z is x else z)

    def __repr__(self) -> str:
        """Name, kind and shapes, for a person who debugs."""
        return f"<{self.kind} {self.name!r}: {self.input_shape} -> {self.output_shape}>"


def _finite(
    method: Callable[Concatenate[AnyLayer, Arguments], Array],
) -> Callable[Concatenate[AnyLayer, Arguments], Array]:
    """Raise ModelError where a layer's numbers are too large or not finite, without a warning."""

    @wraps(method)
    def checked(self: AnyLayer, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            z = method(self, *args, **kwargs)
            flat = z.ravel()
            # The sum of squares, computed in half the time, bounds each number. NaN is no bound.
            if not (
                flat @ flat <= MAX_MAGNITUDE**2 or np.abs(flat).max(initial=0) <= MAX_MAGNITUDE
            ):
                raise ModelError(
                    f'The layer "{self.name:.60}" gives numbers beyond 10¹⁵ for an image, because '
                    "weights are too large: choose another model."
                )
        return z

    return checked


def _pad(x: Array, rows: Slide, cols: Slide, value: float) -> Array:
    """Surround the feature maps (n, height, width, channels) with the slides' padding."""
    if not (rows.before or rows.after or cols.before or cols.after):
        return x
    height = rows.before + rows.size + rows.after
    width = cols.before + cols.size + cols.after
    padded = np.full((len(x), height, width, x.shape[3]), value, x.dtype)
    padded[:, rows.before : rows.before + rows.size, cols.before : cols.before + cols.size] = x
    return padded


class Conv2D(Layer):
    """Each filter's kernel slides over the input: a weighted sum of the patch under it, plus bias.

    Weights: kernel (height, width, channels, filters); bias (filters,) unless it has none.
    """

    def __init__(
        self,
        name: str,
        input_shape: Shape,
        rows: Slide,
        cols: Slide,
        weights: Mapping[str, Array],
        activation: str = "linear",
    ) -> None:
        """Slide the kernel along the rows and columns."""
        filters = weights["kernel"].shape[-1]
        super().__init__(name, input_shape, (rows.positions, cols.positions, filters), weights)
        self.rows, self.cols = rows, cols
        self.activation = activation

    @_finite
    def pre_activation(self, x: Array) -> Array:
        """The sums, (n, *output_shape)."""
        kernel = self.weights["kernel"]
        x = _pad(x, self.rows, self.cols, 0)
        windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
        windows = windows[:, :: self.rows.stride, :: self.cols.stride]
        # A patch becomes a row of a matrix and a filter a column of another; all the sums are then
        # one matrix product ("im2col"), which BLAS does at nearly the speed of the processor.
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel[..., 0].size)
        z: Array = patches @ kernel.reshape(-1, kernel.shape[-1])
        if "bias" in self.weights:
            z += self.weights["bias"]
        return z.reshape(-1, *self.output_shape)


class Dense(Layer):
    """A weighted sum of all inputs, plus bias, for each unit; along the last axis of the input.

    Weights: kernel (inputs, units); bias (units,) unless it has none.
    """

    def __init__(
        self,
        name: str,
        input_shape: Shape,
        weights: Mapping[str, Array],
        activation: str = "linear",
    ) -> None:
        """Connect each input with each unit."""
        units = weights["kernel"].shape[-1]
        super().__init__(name, input_shape, (*input_shape[:-1], units), weights)
        self.activation = activation

    @_finite
    def pre_activation(self, x: Array) -> Array:
        """The sums, (n, *output_shape)."""
        kernel = self.weights["kernel"]
        z: Array = x.reshape(-1, len(kernel)) @ kernel
        if "bias" in self.weights:
            z += self.weights["bias"]
        return z.reshape(-1, *self.output_shape)


class _Pooling2D(Layer):
    """What the two poolings share: a window that slides over each channel by itself."""

    def __init__(self, name: str, input_shape: Shape, rows: Slide, cols: Slide) -> None:
        """Slide the window along the rows and columns."""
        super().__init__(name, input_shape, (rows.positions, cols.positions, input_shape[-1]))
        self.rows, self.cols = rows, cols

    def _combine(self, x: Array, combine: np.ufunc, padding: float) -> Array:
        """Fold the cells under the window into one, for all positions at once."""
        x = _pad(x, self.rows, self.cols, padding)
        cells = (
            x[:, self.rows.cells(row), self.cols.cells(col)]
            for row in range(self.rows.kernel)
            for col in range(self.cols.kernel)
        )
        out = next(cells).copy()
        for cell in cells:
            combine(out, cell, out=out)
        return out


class MaxPooling2D(_Pooling2D):
    """The largest value under the window."""

    def pre_activation(self, x: Array) -> Array:
        """The maxima, (n, *output_shape)."""
        return self._combine(x, np.maximum, padding=-np.inf)


class AveragePooling2D(_Pooling2D):
    """The mean of the values under the window; padding does not count."""

    @_finite
    def pre_activation(self, x: Array) -> Array:
        """The means, (n, *output_shape)."""
        inside = np.outer(self.rows.inside(), self.cols.inside())
        out = self._combine(x, np.add, padding=0)
        out /= inside[..., np.newaxis].astype(np.float32)
        return out


class GlobalAveragePooling2D(Layer):
    """The mean of each whole feature map; with `keepdims` the output is (1, 1, channels)."""

    def __init__(self, name: str, input_shape: Shape, keepdims: bool = False) -> None:
        """Make a window of the whole map."""
        height, width, channels = input_shape
        super().__init__(name, input_shape, (1, 1, channels) if keepdims else (channels,))
        self.rows, self.cols = Slide(height, height), Slide(width, width)

    @_finite
    def pre_activation(self, x: Array) -> Array:
        """The means, (n, *output_shape)."""
        means: Array = x.mean(axis=(1, 2))
        return means.reshape(-1, *self.output_shape)


class Flatten(Layer):
    """All values in one row, in the order rows, columns, channels."""

    def __init__(self, name: str, input_shape: Shape) -> None:
        """Make a window of the whole map."""
        super().__init__(name, input_shape, (math.prod(input_shape),))
        self.rows = Slide(self.rows.size, self.rows.size)
        self.cols = Slide(self.cols.size, self.cols.size)

    def pre_activation(self, x: Array) -> Array:
        """The row, (n, *output_shape)."""
        return x.reshape(-1, *self.output_shape)


class Dropout(Layer):
    """Nothing: it drops values only while the network trains."""


class BatchNormalization(Layer):
    """Each channel shifted and scaled by the mean and variance that training saw.

    gamma · (x - moving_mean) / sqrt(moving_variance + epsilon) + beta (Ioffe and Szegedy, 2015).
    Weights, each (channels,): gamma and beta unless switched off, moving_mean, moving_variance.
    """

    def __init__(
        self, name: str, input_shape: Shape, weights: Mapping[str, Array], epsilon: float
    ) -> None:
        """Fold the formula into one factor and one summand a channel."""
        super().__init__(name, input_shape, weights=weights)
        self._epsilon = epsilon
        with np.errstate(over="ignore", invalid="ignore"):  # `pre_activation` raises
            self._factor = weights.get("gamma", np.float32(1)) / np.sqrt(
                weights["moving_variance"] + np.float32(epsilon)
            )
            shift = weights["moving_mean"] * self._factor
            self._summand = weights.get("beta", np.float32(0)) - shift

    def with_weights(self, weights: Mapping[str, Array]) -> Layer:
        """The same layer with other weights, of the same names and shapes."""
        return BatchNormalization(self.name, self.input_shape, weights, self._epsilon)

    @_finite
    def pre_activation(self, x: Array) -> Array:
        """The normalised values, (n, *output_shape)."""
        out: Array = x * self._factor
        out += self._summand
        return out


class Rescaling(Layer):
    """scale · x + offset."""

    def __init__(self, name: str, input_shape: Shape, scale: Array, offset: Array) -> None:
        """Keep the two numbers, or arrays that broadcast to the input."""
        super().__init__(name, input_shape)
        self.scale, self.offset = scale, offset

    @_finite
    def pre_activation(self, x: Array) -> Array:
        """The rescaled values, (n, *output_shape)."""
        out: Array = x * self.scale
        out += self.offset
        return out


class Activation(Layer):
    """A non-linearity as a layer of its own; its pre-activation is its input."""

    def __init__(self, name: str, input_shape: Shape, activation: str) -> None:
        """Apply one of `ACTIVATIONS`."""
        super().__init__(name, input_shape)
        self.activation = activation


class Softmax(Layer):
    """The softmax along the last axis, as a layer of its own."""

    activation = "softmax"


class ReLU(Layer):
    """A rectifier as a layer of its own, with Keras's three variations.

    x where x > threshold, at most max_value; elsewhere negative_slope · (x - threshold).
    """

    activation = "relu"

    def __init__(
        self,
        name: str,
        input_shape: Shape,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
    ) -> None:
        """Keep the three variations; the defaults give max(x, 0)."""
        super().__init__(name, input_shape)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    @_finite
    def activate(self, z: Array, out: Array | None = None) -> Array:
        """The rectified values, (n, *output_shape)."""
        if self.threshold:
            out = np.where(z > self.threshold, z, np.float32(0))
        else:
            out = np.maximum(z, 0, out=out)
        if self.max_value is not None:
            np.minimum(out, self.max_value, out=out)
        if self.negative_slope:
            out += self.negative_slope * np.minimum(z - self.threshold, 0)
        return out


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
                layers.append(_read_layer(config, shape, partial(file.read_weights, config)))
                shape = layers[-1].output_shape
        return cls(file.input_shape, layers)

    def with_weights(self, weights: Mapping[str, Mapping[str, Array]]) -> Network:
        """The same network with other weights, by layer and name as in `Layer.weights`."""
        return Network(
            self.input_shape,
            [
                layer.with_weights(weights[layer.name]) if layer.weights else layer
                for layer in self.layers
            ],
        )

    def layer(self, name: str) -> Layer:
        """The layer of that name. Raises KeyError if there is none."""
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
        """Each layer's output (n, *output_shape), by the layer's name, in order.

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
        """What each layer with an activation feeds to it; before a softmax these are the logits.

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
        """The activations of many images in bounded memory, some images at a time.

        Yields:
            Which of the images these are, and their `activations`.
        """
        self._checked(images)
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            yield part, self.activations(images[part])

    def predict(self, images: Array, batch_size: int = BATCH_SIZE) -> Array:
        """The last layer's output alone, (n, *output_shape), in bounded memory.

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
        """The part of the image that a unit of a layer can see (Araujo et al., Distill 2019).

        The field is not clipped: where it reaches over the image's edge, the unit sees padding. It
        is the smallest rectangle with that property, except that with padding deeper in the network
        its clipped part may include edge pixels that a stride or a valid pooling before the padding
        has skipped.

        Args:
            layer_name: name of the layer.
            row, col: the unit's position in the feature map, any filter. In a flat layer all units
                count as being at (0, 0) and see what the last feature map sees.

        Raises:
            KeyError: no layer has this name.
            IndexError: the layer has no such position.
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
            rows, cols = layer.rows.span(*rows), layer.cols.span(*cols)
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


# From a .keras file: one function a kind of layer, from its configuration and its input's shape.

WeightReader = Callable[[Mapping[str, Shape]], Mapping[str, Array]]


def _read_conv2d(config: LayerConfig, input_shape: Shape, read: WeightReader) -> Layer:
    rows, cols = _read_slides(config, input_shape, "kernel_size")
    config.choice("groups", [1])
    config.choice("dilation_rate", [[1, 1]])
    activation = config.choice("activation", ACTIVATIONS)
    patch = (rows.kernel, cols.kernel, input_shape[-1])
    _check_size(config, rows.positions * cols.positions * math.prod(patch))
    weights = read(_kernel_and_bias(config, patch, config.integer("filters")))
    return Conv2D(config.name, input_shape, rows, cols, weights, activation)


def _read_dense(config: LayerConfig, input_shape: Shape, read: WeightReader) -> Layer:
    activation = config.choice("activation", ACTIVATIONS)
    weights = read(_kernel_and_bias(config, input_shape[-1:], config.integer("units")))
    return Dense(config.name, input_shape, weights, activation)


def _read_max_pooling(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    return MaxPooling2D(config.name, input_shape, *_read_slides(config, input_shape, "pool_size"))


def _read_average_pooling(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    slides = _read_slides(config, input_shape, "pool_size")
    return AveragePooling2D(config.name, input_shape, *slides)


def _read_global_average_pooling(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    _require_map(config, input_shape)
    keepdims = config.choice("keepdims", [False, True])
    return GlobalAveragePooling2D(config.name, input_shape, keepdims)


def _read_flatten(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    config.choice("data_format", ["channels_last"])
    return Flatten(config.name, input_shape)


def _read_dropout(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    return Dropout(config.name, input_shape)


def _read_batch_normalization(config: LayerConfig, input_shape: Shape, read: WeightReader) -> Layer:
    config.choice("axis", [-1, len(input_shape)])
    epsilon = config.number("epsilon")
    # Keras numbers the weights; without gamma or beta the others move up.
    names = ["moving_mean", "moving_variance"]
    if config.choice("center", [True, False]):
        names.insert(0, "beta")
    if config.choice("scale", [True, False]):
        names.insert(0, "gamma")
    weights = read(dict.fromkeys(names, input_shape[-1:]))
    if weights["moving_variance"].min() + epsilon <= 0:
        raise config.error("has a moving_variance that is not positive; train the model anew")
    return BatchNormalization(config.name, input_shape, weights, epsilon)


def _read_rescaling(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    scale, offset = (config.numbers(key, input_shape) for key in ("scale", "offset"))
    return Rescaling(config.name, input_shape, scale, offset)


def _read_relu(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    unlimited = config.properties.get("max_value") is None
    return ReLU(
        config.name,
        input_shape,
        None if unlimited else config.number("max_value"),
        config.number("negative_slope"),
        config.number("threshold"),
    )


def _read_softmax(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    config.choice("axis", [-1, len(input_shape)])
    return Softmax(config.name, input_shape)


def _read_activation(config: LayerConfig, input_shape: Shape, _: WeightReader) -> Layer:
    return Activation(config.name, input_shape, config.choice("activation", ACTIVATIONS))


READERS = {
    "Conv2D": _read_conv2d,
    "MaxPooling2D": _read_max_pooling,
    "AveragePooling2D": _read_average_pooling,
    "GlobalAveragePooling2D": _read_global_average_pooling,
    "Flatten": _read_flatten,
    "Dense": _read_dense,
    "Dropout": _read_dropout,
    "BatchNormalization": _read_batch_normalization,
    "Rescaling": _read_rescaling,
    "ReLU": _read_relu,
    "Softmax": _read_softmax,
    "Activation": _read_activation,
}


def _read_layer(config: LayerConfig, input_shape: Shape, read: WeightReader) -> Layer:
    """The layer that `config` describes; `read` returns its weights by their names and shapes.

    Raises `ModelError` for a property that is not supported or does not fit the input.
    """
    if config.kind not in READERS:
        raise config.error(f"cannot be opened; a model may have {', '.join(READERS)} layers")
    config.require_float32()
    _check_size(config, math.prod(input_shape))
    layer = READERS[config.kind](config, input_shape, read)
    config.refuse_unread()
    return layer


def _read_slides(config: LayerConfig, input_shape: Shape, kernel: str) -> tuple[Slide, Slide]:
    """How the window of a convolution or pooling slides; `kernel` is the name of its size."""
    _require_map(config, input_shape)
    height, width, _ = input_shape
    kernels, strides = config.pair(kernel), config.pair("strides")
    padding = config.choice("padding", ["valid", "same"])
    rows = Slide.padded(height, kernels[0], strides[0], padding)
    cols = Slide.padded(width, kernels[1], strides[1], padding)
    if min(rows.positions, cols.positions) < 1:
        raise config.refuse(kernel, f"a window that fits into {height}×{width}")
    return rows, cols


def _kernel_and_bias(config: LayerConfig, inputs: Shape, outputs: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {"kernel": (*inputs, outputs)}
    if config.choice("use_bias", [True, False]):
        shapes["bias"] = (outputs,)
    return shapes


def _require_map(config: LayerConfig, input_shape: Shape) -> None:
    if len(input_shape) != 3:
        raise config.error(f"needs an input of height, width and channels, but gets {input_shape}")
    config.choice("data_format", ["channels_last"])


def _check_size(config: LayerConfig, values: int) -> None:
    if values > MAX_VALUES:
        raise config.error(
            f"needs {values:,} values an image, more than the {MAX_VALUES:,} allowed"
        )
