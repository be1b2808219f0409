"""The layers of a convolutional network, in NumPy: what each computes, and the shape of each array.

Read `Conv2D` first: `pre_activation_by_loops` is its definition, six loops over single numbers, and
`weighted_sums` computes the same as one matrix product. Then read `MaxPooling2D`, `Flatten` and
`Dense`; with `relu` and `softmax` from `core.network.activations` these make up the app's networks:

    image         (n, 28, 28, 1)
    Conv2D        (n, 26, 26, 64)   64 filters, kernels 3×3; relu
    MaxPooling2D  (n, 13, 13, 64)   window 2×2, stride 2
    Conv2D        (n, 11, 11, 64)   64 filters, kernels 3×3 over 64 channels; relu
    MaxPooling2D  (n, 5, 5, 64)     the eleventh row and column are left out
    Flatten       (n, 1600)
    Dense         (n, 128)          relu
    Dense         (n, 10)           softmax: the probability of each class

`Layer.__call__` in `core.network.base` applies a layer: first `pre_activation`, then `activate`.
The loop over the layers is in `core.network.forward`. Training (gradients) is not in this package:
Keras does it, in `core.training`, and these layers compute with the weights that it found. Layers
that other people's networks may have, such as BatchNormalization, are in
`core.network.pointwise_layers`.

Words:

- An image is a float32 array (height, width, channels) with values in [0, 1]. A grey image has one
  channel. A *batch* of n images has one more axis in front, so that one call of NumPy computes n
  images; a single image is a batch of n = 1.
- A *filter* of a convolution has one *kernel* (kh, kw, channels), which are its weights, and one
  bias. Its output is one *feature map*, rows × cols numbers; each of them is a *unit*.
- The feature maps of all filters, (n, rows, cols, filters), are the input of the next layer, where
  each of them is a *channel*.
- The *pre-activation* z is the weighted sum plus bias. The *activation* is the non-linear function
  of it, such as relu. They are apart because the app shows both, and the *logits*, which are the
  pre-activation of the last layer.
- A `Slide` (in `core.network.geometry`) holds how a window moves along one axis: cells of the axis
  (`size`), of the window (`kernel`), of each step (`stride`), and of the padding on both sides
  (`before`, `after`). It has `positions` = (before + size + after - kernel) // stride + 1, which is
  the size of the output: (28 - 3) // 1 + 1 = 26. Padding "valid" means none; "same" means as much
  as gives ceil(size / stride) positions.

Comments give the shape of each array behind the line that makes it. In `reshape`, -1 is the size
that is left over. `@` is the matrix product. `@finite` above a method raises ModelError for results
beyond 10¹⁵, which only a broken model has. A layer never changes its input and does not change
after construction, so any number of threads may share it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from core.network.base import Layer, finite
from core.network.geometry import Slide
from core.network.types import Array, Shape

# --- convolution ----------------------------------------------------------------------------------


def _pad(x: Array, rows: Slide, cols: Slide, value: float) -> Array:
    """Return feature maps (n, height, width, channels) with the slides' padding around them.

    Args:
        x: Feature maps, (n, rows.size, cols.size, channels).
        rows, cols: The slides along the two axes.
        value: The number in the padding.
    """
    if not (rows.before or rows.after or cols.before or cols.after):
        return x
    height = rows.before + rows.size + rows.after
    width = cols.before + cols.size + cols.after
    padded = np.full((len(x), height, width, x.shape[3]), value, x.dtype)  # all padding
    # The maps in the middle; before + size is the first cell of the padding behind them.
    padded[:, rows.before : rows.before + rows.size, cols.before : cols.before + cols.size] = x
    return padded


class Conv2D(Layer):
    """Slide each filter's kernel over the input: a weighted sum of the patch under it, plus bias.

    A kernel is as deep as the input: it has kh × kw weights for each channel, and the sum runs over
    all of them, so that each filter makes one map of all channels. Keras, as other libraries, does
    not flip the kernel, so the operation is a cross-correlation; "convolution" is the field's name.

    Weights: kernel (kh, kw, channels, filters), the kernels of all filters in one array; bias
    (filters,) unless the layer has none. For 64 filters 3×3 over one channel these are
    3·3·1·64 + 64 = 640 numbers, however large the image is: each position has the same weights.
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

        This is the definition of the layer. It is far too slow for the app; a test asserts that the
        fast method returns the same, up to the rounding of sums in another order.
        """
        kernel = self.weights["kernel"]  # (kh, kw, channels, filters)
        kh, kw, channels, filters = kernel.shape
        x = _pad(x, self.rows, self.cols, 0)  # (n, height, width, channels), padding included
        z = np.zeros((len(x), *self.output_shape), np.float32)  # (n, rows, cols, filters)
        z += self.weights.get("bias", np.float32(0))  # (filters,), the same in each cell of a map
        for row in range(self.rows.positions):
            for col in range(self.cols.positions):
                top, left = row * self.rows.stride, col * self.cols.stride  # the patch's corner
                for output in range(filters):
                    for down in range(kh):
                        for across in range(kw):
                            for channel in range(channels):
                                weight = kernel[down, across, channel, output]  # one number
                                pixel = x[:, top + down, left + across, channel]  # (n,)
                                z[:, row, col, output] += weight * pixel  # (n,)
        return z

    def windows(self, x: Array) -> Array:
        """Return the patch under the kernel at each position, (n, rows, cols, channels, kh, kw).

        It is a view: the patches overlap, and share the memory of the (padded) input.
        """
        x = _pad(x, self.rows, self.cols, 0)  # (n, height, width, channels), padding included
        kh, kw = self.weights["kernel"].shape[:2]
        # Stride 1 first: (n, height - kh + 1, width - kw + 1, channels, kh, kw).
        windows: Array = sliding_window_view(x, (kh, kw), axis=(1, 2))
        # Then every stride-th position: (n, rows, cols, channels, kh, kw).
        return windows[:, :: self.rows.stride, :: self.cols.stride]

    def weighted_sums(self, x: Array) -> Array:
        """Return the weighted sums without the bias, (n, rows, cols, filters).

        Each patch becomes a row of one matrix and each filter's kernel a column of another. A sum
        of products of a row and a column is what a matrix product consists of, so one product
        computes all sums ("im2col"; Chellapilla, Puri and Simard, 2006). It takes more memory than
        the loops, because a pixel is copied into each patch that covers it, but BLAS, the library
        behind `@`, computes it at nearly the processor's full speed.
        """
        kernel = self.weights["kernel"]  # (kh, kw, channels, filters)
        kh, kw, channels, filters = kernel.shape
        windows = self.windows(x)  # (n, rows, cols, channels, kh, kw)
        # The order of the kernel's axes, so that each weight meets its pixel.
        windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (n, rows, cols, kh, kw, channels)
        patches = windows.reshape(-1, kh * kw * channels)  # (n·rows·cols, kh·kw·channels), a copy
        columns = kernel.reshape(kh * kw * channels, filters)  # (kh·kw·channels, filters)
        sums: Array = patches @ columns  # (n·rows·cols, filters)
        return sums.reshape(-1, *self.output_shape)  # (n, rows, cols, filters)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the weighted sums plus bias, (n, rows, cols, filters)."""
        z = self.weighted_sums(x)  # (n, rows, cols, filters)
        if "bias" in self.weights:
            z += self.weights["bias"]  # (filters,), one number for each map
        return z


# --- pooling --------------------------------------------------------------------------------------


class _Pooling2D(Layer):
    """The part that both poolings share: a window that slides over each channel by itself.

    It has no weights. With the usual stride, the window's size, the windows do not overlap; a last
    row or column that does not fill a window is left out (11 rows give 5).
    """

    def __init__(self, name: str, input_shape: Shape, rows: Slide, cols: Slide) -> None:
        """Slide the window along the rows and columns."""
        super().__init__(name, input_shape, (rows.positions, cols.positions, input_shape[-1]))
        self.rows, self.cols = rows, cols

    def _combine(self, x: Array, combine: np.ufunc, padding: float) -> Array:
        """Return the cells under the window combined into one, (n, rows, cols, channels).

        A 2×2 window has a top-left, a top-right, a bottom-left and a bottom-right cell. The loop
        takes one of these per step, for all positions of the window at once.

        Args:
            x: Feature maps, (n, height, width, channels).
            combine: A function of two arrays, cell by cell: np.maximum or np.add.
            padding: The number in the padding.
        """
        x = _pad(x, self.rows, self.cols, padding)  # (n, height, width, channels)
        cells = (
            x[:, self.rows.cells(row), self.cols.cells(col)]  # (n, rows, cols, channels)
            for row in range(self.rows.kernel)
            for col in range(self.cols.kernel)
        )
        out = next(cells).copy()  # (n, rows, cols, channels); a copy, because x must not change
        for cell in cells:
            combine(out, cell, out=out)  # in place: np.maximum(out, cell) with no new array
        return out


class MaxPooling2D(_Pooling2D):
    """Keep the largest value under the window.

    Padding counts as -∞ and never wins; as 0 it would win over negative values.
    """

    def pre_activation(self, x: Array) -> Array:
        """Return the maxima, (n, rows, cols, channels)."""
        return self._combine(x, np.maximum, padding=-np.inf)


class AveragePooling2D(_Pooling2D):
    """Keep the mean of the values under the window; padding does not count."""

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the means, (n, rows, cols, channels)."""
        # How many cells under the window are not padding, at each of its positions.
        inside = np.outer(self.rows.inside(), self.cols.inside())  # (rows, cols)
        out = self._combine(x, np.add, padding=0)  # (n, rows, cols, channels), the sums
        out /= inside[..., np.newaxis].astype(np.float32)
        return out


class GlobalAveragePooling2D(Layer):
    """Keep the mean of each whole feature map; with `keepdims` the output is (1, 1, channels)."""

    def __init__(self, name: str, input_shape: Shape, keepdims: bool = False) -> None:
        """Make a window of the whole map, for the receptive field."""
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
    """Put all values of the feature maps in one row, in the order rows, columns, channels.

    The value at (row, col, channel) gets the number (row · width + col) · channels + channel. The
    next dense layer has its weight for this value at the same place.
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        """Make a window of the whole map, for the receptive field."""
        super().__init__(name, input_shape, (math.prod(input_shape),))
        self.rows = Slide(self.rows.size, self.rows.size)
        self.cols = Slide(self.cols.size, self.cols.size)

    def pre_activation(self, x: Array) -> Array:
        """Return the rows, (n, height·width·channels)."""
        return x.reshape(-1, *self.output_shape)


class Dense(Layer):
    """Compute a weighted sum of all inputs, plus bias, for each unit.

    A unit is connected with each input by a weight of its own: a filter whose kernel is as large as
    the whole input and therefore has one position. That is why most weights of the tutorial's
    network are here: 1600·128 + 128 = 204,928.

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

    def weighted_sums(self, x: Array) -> Array:
        """Return the weighted sums without the bias, (n, *output_shape)."""
        kernel = self.weights["kernel"]  # (inputs, units)
        sums: Array = x.reshape(-1, len(kernel)) @ kernel  # (n, units), or (n·positions, units)
        return sums.reshape(-1, *self.output_shape)  # (n, *output_shape)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the weighted sums plus bias, (n, *output_shape)."""
        z = self.weighted_sums(x)  # (n, *output_shape)
        if "bias" in self.weights:
            z += self.weights["bias"]  # (units,), one number for each unit
        return z
