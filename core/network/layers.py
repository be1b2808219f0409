"""The layers of a convolutional network, in NumPy: what each computes, and the shape of each array.

Read `Conv2D` first: `pre_activation_by_loops` is its definition, six loops over single numbers, and
`pre_activation` computes the same as one matrix product. Then read `MaxPooling2D`, `Flatten` and
`Dense`; with `relu` and `softmax` from `core.network.activations` these make up the app's networks.
The part that all layers share is in `core.network.base`, the loop over them in
`core.network.forward`.

Words and conventions:

- An image is a float32 array (height, width, channels) with values in [0, 1]. A *batch* of n images
  has one more axis in front. Comments give the shape of each array behind the line that makes it.
- The *feature maps* of a layer are its output (n, rows, cols, filters): one map of rows × cols
  cells per filter. A *unit* is one cell of one map.
- The *pre-activation* z is the weighted sum with its bias; the *activation* is the non-linear
  function of it.
- A layer that is given a batch returns a new array and never changes its input.

A layer does not change after construction, so any number of threads may share it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from core.network.base import Layer, finite
from core.network.geometry import Slide
from core.network.keras_file import Array, Shape

# --- convolution ----------------------------------------------------------------------------------


def _pad(x: Array, rows: Slide, cols: Slide, value: float) -> Array:
    """Return feature maps (n, height, width, channels) with the slides' padding around them."""
    if not (rows.before or rows.after or cols.before or cols.after):
        return x
    height = rows.before + rows.size + rows.after
    width = cols.before + cols.size + cols.after
    padded = np.full((len(x), height, width, x.shape[3]), value, x.dtype)
    padded[:, rows.before : rows.before + rows.size, cols.before : cols.before + cols.size] = x
    return padded


class Conv2D(Layer):
    """Slide each filter's kernel over the input: a weighted sum of the patch under it, plus bias.

    All kernels see all channels of the input. Keras, as other libraries, does not flip the kernel,
    so the operation is a cross-correlation; "convolution" is the field's name for it.

    Weights: kernel (kh, kw, channels, filters); bias (filters,) unless the layer has none.
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

    def pre_activation_by_loops(self, x: Array) -> Array:
        """Return what `pre_activation` returns, computed number by number.

        This is the definition of the layer. It is far too slow to serve with; a test holds the fast
        method to it.
        """
        kernel = self.weights["kernel"]  # (kh, kw, channels, filters)
        kh, kw, channels, filters = kernel.shape
        x = _pad(x, self.rows, self.cols, 0)  # (n, height, width, channels), padding included
        z = np.zeros((len(x), *self.output_shape), np.float32)  # (n, rows, cols, filters)
        z += self.weights.get("bias", np.float32(0))  # the same bias in each cell of a map
        for row in range(self.rows.positions):
            for col in range(self.cols.positions):
                top, left = row * self.rows.stride, col * self.cols.stride
                for output in range(filters):
                    for down in range(kh):
                        for across in range(kw):
                            for channel in range(channels):
                                weight = kernel[down, across, channel, output]
                                pixel = x[:, top + down, left + across, channel]  # (n,)
                                z[:, row, col, output] += weight * pixel
        return z

    def windows(self, x: Array) -> Array:
        """Return the patch under the kernel at each position, (n, rows, cols, channels, kh, kw).

        It is a view: the patches overlap, and share the memory of the (padded) input.
        """
        x = _pad(x, self.rows, self.cols, 0)  # (n, height, width, channels), padding included
        kh, kw = self.weights["kernel"].shape[:2]
        # At every position, also those that a stride leaves out.
        windows: Array = sliding_window_view(x, (kh, kw), axis=(1, 2))
        return windows[:, :: self.rows.stride, :: self.cols.stride]

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the weighted sums, (n, rows, cols, filters).

        Each patch becomes a row of one matrix and each filter's kernel a column of another; all
        sums are then one matrix product ("im2col"; Chellapilla, Puri and Simard, 2006), which BLAS
        computes at nearly the processor's full speed.
        """
        kernel = self.weights["kernel"]  # (kh, kw, channels, filters)
        windows = self.windows(x)  # (n, rows, cols, channels, kh, kw)
        windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (n, rows, cols, kh, kw, channels)
        patches = windows.reshape(-1, kernel[..., 0].size)  # (n·rows·cols, kh·kw·channels)
        columns = kernel.reshape(-1, kernel.shape[-1])  # (kh·kw·channels, filters)
        z: Array = patches @ columns  # (n·rows·cols, filters)
        if "bias" in self.weights:
            z += self.weights["bias"]  # (filters,), added to each row
        return z.reshape(-1, *self.output_shape)  # (n, rows, cols, filters)


# --- pooling --------------------------------------------------------------------------------------


class _Pooling2D(Layer):
    """The part that both poolings share: a window that slides over each channel by itself."""

    def __init__(self, name: str, input_shape: Shape, rows: Slide, cols: Slide) -> None:
        """Slide the window along the rows and columns."""
        super().__init__(name, input_shape, (rows.positions, cols.positions, input_shape[-1]))
        self.rows, self.cols = rows, cols

    def _combine(self, x: Array, combine: np.ufunc, padding: float) -> Array:
        """Return the cells under the window combined into one, (n, rows, cols, channels).

        A 2×2 window has a top-left, a top-right, a bottom-left and a bottom-right cell. The loop
        takes one of these at a time, for all positions of the window at once.
        """
        x = _pad(x, self.rows, self.cols, padding)  # (n, height, width, channels)
        cells = (
            x[:, self.rows.cells(row), self.cols.cells(col)]  # (n, rows, cols, channels)
            for row in range(self.rows.kernel)
            for col in range(self.cols.kernel)
        )
        out = next(cells).copy()
        for cell in cells:
            combine(out, cell, out=out)
        return out


class MaxPooling2D(_Pooling2D):
    """Keep the largest value under the window; padding never wins, because it counts as -∞."""

    def pre_activation(self, x: Array) -> Array:
        """Return the maxima, (n, rows, cols, channels)."""
        return self._combine(x, np.maximum, padding=-np.inf)


class AveragePooling2D(_Pooling2D):
    """Keep the mean of the values under the window; padding does not count."""

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the means, (n, rows, cols, channels)."""
        inside = np.outer(self.rows.inside(), self.cols.inside())  # (rows, cols)
        out = self._combine(x, np.add, padding=0)  # (n, rows, cols, channels)
        out /= inside[..., np.newaxis].astype(np.float32)
        return out


class GlobalAveragePooling2D(Layer):
    """Keep the mean of each whole feature map; with `keepdims` the output is (1, 1, channels)."""

    def __init__(self, name: str, input_shape: Shape, keepdims: bool = False) -> None:
        """Make a window of the whole map."""
        height, width, channels = input_shape
        super().__init__(name, input_shape, (1, 1, channels) if keepdims else (channels,))
        self.rows, self.cols = Slide(height, height), Slide(width, width)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the means, (n, *output_shape)."""
        means: Array = x.mean(axis=(1, 2))  # (n, channels)
        return means.reshape(-1, *self.output_shape)


# --- flat layers ----------------------------------------------------------------------------------


class Flatten(Layer):
    """Put all values of the feature maps in one row, in the order rows, columns, channels."""

    def __init__(self, name: str, input_shape: Shape) -> None:
        """Make a window of the whole map."""
        super().__init__(name, input_shape, (math.prod(input_shape),))
        self.rows = Slide(self.rows.size, self.rows.size)
        self.cols = Slide(self.cols.size, self.cols.size)

    def pre_activation(self, x: Array) -> Array:
        """Return the rows, (n, height·width·channels)."""
        return x.reshape(-1, *self.output_shape)


class Dense(Layer):
    """Compute a weighted sum of all inputs, plus bias, for each unit.

    On an input with several axes it works along the last one, at each position by itself.

    Weights: kernel (inputs, units); bias (units,) unless the layer has none.
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

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the weighted sums, (n, *output_shape)."""
        kernel = self.weights["kernel"]  # (inputs, units)
        z: Array = x.reshape(-1, len(kernel)) @ kernel  # (n, units), or (n·positions, units)
        if "bias" in self.weights:
            z += self.weights["bias"]  # (units,), added to each row
        return z.reshape(-1, *self.output_shape)


# --- layers that work on each value or channel by itself ------------------------------------------


class Dropout(Layer):
    """Return the input: values are dropped only while the network trains."""


class BatchNormalization(Layer):
    """Shift and scale each channel by the mean and variance that training saw.

    gamma · (x - moving_mean) / sqrt(moving_variance + epsilon) + beta (Ioffe and Szegedy, 2015).

    Weights, each (channels,): gamma and beta unless switched off, moving_mean, moving_variance.
    """

    def __init__(
        self, name: str, input_shape: Shape, weights: Mapping[str, Array], epsilon: float
    ) -> None:
        """Fold the formula into one factor and one summand per channel."""
        super().__init__(name, input_shape, weights=weights)
        self._epsilon = epsilon
        with np.errstate(over="ignore", invalid="ignore"):  # `pre_activation` raises
            self._factor = weights.get("gamma", np.float32(1)) / np.sqrt(
                weights["moving_variance"] + np.float32(epsilon)
            )
            shift = weights["moving_mean"] * self._factor
            self._summand = weights.get("beta", np.float32(0)) - shift

    def with_weights(self, weights: Mapping[str, Array]) -> Layer:
        """Return the same layer with other weights, of the same names and shapes."""
        return BatchNormalization(self.name, self.input_shape, weights, self._epsilon)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the normalised values, (n, *output_shape)."""
        out: Array = x * self._factor
        out += self._summand
        return out


class Rescaling(Layer):
    """Compute scale · x + offset."""

    def __init__(self, name: str, input_shape: Shape, scale: Array, offset: Array) -> None:
        """Store the two numbers, or arrays that broadcast to the input."""
        super().__init__(name, input_shape)
        self.scale, self.offset = scale, offset

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the rescaled values, (n, *output_shape)."""
        out: Array = x * self.scale
        out += self.offset
        return out


class Activation(Layer):
    """Apply an activation as a layer of its own; its pre-activation is its input."""

    def __init__(self, name: str, input_shape: Shape, activation: str) -> None:
        """Choose one of `ACTIVATIONS`."""
        super().__init__(name, input_shape)
        self.activation = activation


class Softmax(Layer):
    """Apply the softmax along the last axis, as a layer of its own."""

    activation = "softmax"


class ReLU(Layer):
    """Apply a rectifier as a layer of its own, with Keras's three variations.

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
        """Store the three variations; the defaults give max(x, 0)."""
        super().__init__(name, input_shape)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    @finite
    def activate(self, z: Array, out: Array | None = None) -> Array:
        """Return the rectified values, (n, *output_shape)."""
        if self.threshold:
            out = np.where(z > self.threshold, z, np.float32(0))
        else:
            out = np.maximum(z, 0, out=out)
        if self.max_value is not None:
            np.minimum(out, self.max_value, out=out)
        if self.negative_slope:
            out += self.negative_slope * np.minimum(z - self.threshold, 0)
        return out
