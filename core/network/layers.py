"""The layers of a convolutional network, in NumPy: what each computes, and the shape of each array.

Read `Conv2D` first: `pre_activation_by_loops` is its definition, and `weighted_sums` computes the
same as one matrix product. Then read `MaxPooling2D`, `Flatten` and `Dense`. These make up the
networks that come with the app:

    image         (n, 28, 28, 1)
    Conv2D        (n, 26, 26, 64)   64 filters, kernels 3×3; relu
    MaxPooling2D  (n, 13, 13, 64)   window 2×2, stride 2
    Conv2D        (n, 11, 11, 64)   64 filters, kernels 3×3 over 64 channels; relu
    MaxPooling2D  (n, 5, 5, 64)     window 2×2, stride 2; the last row and column fill no window
    Flatten       (n, 1600)
    Dense         (n, 128)          relu
    Dense         (n, 10)           softmax: the probability of each class

Training (gradients) is not in this package: Keras does it, in `core.training`. These layers compute
with the weights that it found. `core.network.forward` runs the layers one after another.

**Words**

- An image is a float32 array (height, width, channels) with values in [0, 1]. A grey image has one
  channel. A *batch* is n images, with n as the first axis; a single image is a batch of n = 1.
- A *filter* is the part of a Conv2D that makes one *feature map* (rows, cols). Its weights are a
  *kernel* (kh, kw, channels), kh high and kw wide, and one bias. One number of the map is a *unit*.
- The feature maps of all filters, (n, rows, cols, filters), are the input of the next layer, which
  calls them *channels*.
- The *pre-activation* z is a layer's result before its *activation*, a function such as
  relu(z) = max(z, 0) or softmax(z) = exp(z) / (sum of exp(z) over the classes). A layer has a
  method for each, because the app shows both numbers. In Conv2D and Dense, z is the weighted sum
  plus bias. The last layer's z, before the softmax, has the name *logits*.
- `activation` is the name of a function in `core.network.activations`; `Layer.activate` in
  `core.network.base` calls it. "linear" stands for no function: `activate` returns z. Pooling and
  Flatten have no activation either; what `pre_activation` returns is their output.

**Slide: where the window is**

A unit is computed from a rectangle of the layer's input, the *window*. A `Slide`, defined in
`core.network.geometry`, describes how it moves along one axis, the rows or the columns:

    size            number of input cells along the axis, for example 28
    window          number of cells under the window (default 1)
    stride          number of cells from one position of the window to the next (default 1)
    before, after   number of cells of padding at the start and at the end of the axis (default 0)
    positions       number of positions of the window, which is the size of the output:
                    (before + size + after - window) // stride + 1, as (28 - 3) // 1 + 1 = 26
    cells_at(i)     slice of the padded axis: the window's cell i, at all positions
    cells_inside()  number of cells under the window that are not padding, at each position
    whole(size)     a Slide with a single position: its window covers the axis

Padding "valid" means none; "same" means as much as gives ceil(size / stride) positions, half of it
before and half after (an odd cell goes after). No window lies on padding only.

Each layer has a `row_slide` and a `col_slide`, with a window of one cell unless it sets others.
From those of all layers, `core.network.forward` computes a unit's *receptive field*: the pixels of
the image that it depends on.

**Code**

- The comment at the end of a line gives the shape of the array that the line makes.
- A *view* is an array without memory of its own: it reads the numbers of another array by other
  indices. Slices, `transpose` and `sliding_window_view` return views, which cost next to nothing.
- In `reshape`, -1 is the size that is left over. `@` is the matrix product.
- `@finite` above a method raises ModelError if a result is NaN or beyond ±10¹⁵. Only a broken
  network gets there. Below it, the sums of squares that the app computes stay within float32, which
  ends at 3·10³⁸. Layers that only select or move numbers do not need the check.
- A layer never changes its input or itself, so any number of threads may share it.
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


class Conv2D(Layer):
    """Slide each filter's kernel over the input: the weighted sum of what is under it, plus bias.

    A kernel has kh × kw weights for each channel of the input. The sum runs over all channels, so a
    filter makes one map, however many channels there are.

    In mathematics this is a cross-correlation: a convolution turns the kernel by 180° first. Keras
    and the like leave that out; training then just finds the weights in their turned places.

    Weights, by their names in Keras: "kernel" (kh, kw, channels, filters), the kernels of all
    filters in one array; "bias" (filters,), which a layer may lack. 64 kernels 3×3 over one channel
    make 3·3·1·64 + 64 = 640 numbers for an image of any size, because all positions share them.
    """

    def __init__(
        self,
        name: str,
        input_shape: Shape,
        row_slide: Slide,
        col_slide: Slide,
        weights: Mapping[str, Array],
        activation: str = "linear",
    ) -> None:
        """Slide the kernels along the rows and columns."""
        filters = weights["kernel"].shape[-1]
        output_shape = (row_slide.positions, col_slide.positions, filters)
        super().__init__(name, input_shape, output_shape, weights)
        self.row_slide, self.col_slide = row_slide, col_slide
        self.activation = activation

    def pre_activation_by_loops(self, x: Array) -> Array:
        """Return what `pre_activation` returns, by six loops; NumPy does the n images at once.

        This is the definition of the layer. It is far too slow for the app; a test asserts that the
        fast method returns the same, up to rounding, as it adds in another order and the bias last.
        """
        kernels = self.weights["kernel"]  # (kh, kw, channels, filters)
        kh, kw, channels, filters = kernels.shape
        x = _pad(x, self.row_slide, self.col_slide, 0)  # (n, padded height, padded width, channels)
        z = np.zeros((len(x), *self.output_shape), np.float32)  # (n, rows, cols, filters)
        if "bias" in self.weights:
            z += self.weights["bias"]  # (filters,), the same number in each cell of a map
        for row in range(self.row_slide.positions):
            for col in range(self.col_slide.positions):
                top = row * self.row_slide.stride  # where the window begins
                left = col * self.col_slide.stride
                for filter_index in range(filters):
                    for down in range(kh):
                        for across in range(kw):
                            for channel in range(channels):
                                weight = kernels[down, across, channel, filter_index]  # one number
                                value = x[:, top + down, left + across, channel]  # (n,)
                                z[:, row, col, filter_index] += weight * value  # (n,)
        return z

    def weighted_sums(self, x: Array) -> Array:
        """Return the weighted sums without the bias, (n, rows, cols, filters).

        The input under the window at one position is a *patch*. Each patch becomes a row of one
        matrix, each kernel a column of another. An entry of the product of two matrices is the sum
        of the products of a row and a column, here of a patch and a kernel, so one product computes
        all sums ("im2col"; Chellapilla, Puri and Simard, 2006). The patches overlap, so the first
        matrix holds a number once for each patch that it is in, up to kh·kw times. In exchange for
        this memory, BLAS, the library behind `@`, multiplies at nearly the processor's full speed.

        The sums are public because `core.evidence.channel_change` needs them without the bias.
        """
        kernels = self.weights["kernel"]  # (kh, kw, channels, filters)
        kh, kw, channels, filters = kernels.shape
        x = _pad(x, self.row_slide, self.col_slide, 0)  # (n, padded height, padded width, channels)
        # Three views, which copy nothing: the patches at stride 1; every stride-th of them; and the
        # axes in the order of the kernels' axes, because NumPy puts kh and kw at the end.
        down, across = self.row_slide.stride, self.col_slide.stride
        patches = sliding_window_view(x, (kh, kw), axis=(1, 2))  # (n, …, …, channels, kh, kw)
        patches = patches[:, ::down, ::across]  # (n, rows, cols, channels, kh, kw)
        patches = patches.transpose(0, 1, 2, 4, 5, 3)  # (n, rows, cols, kh, kw, channels)
        # This `reshape` copies, as overlapping patches are not the rows of a matrix in any view.
        patch_rows = patches.reshape(-1, kh * kw * channels)  # (n·rows·cols, kh·kw·channels)
        kernel_columns = kernels.reshape(kh * kw * channels, filters)  # (kh·kw·channels, filters)
        sums: Array = patch_rows @ kernel_columns  # (n·rows·cols, filters)
        return sums.reshape(-1, *self.output_shape)  # (n, rows, cols, filters)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the weighted sums plus bias, (n, rows, cols, filters)."""
        z = self.weighted_sums(x)  # (n, rows, cols, filters)
        if "bias" in self.weights:
            z += self.weights["bias"]  # (filters,), one number for each map
        return z


def _pad(x: Array, row_slide: Slide, col_slide: Slide, value: float) -> Array:
    """Return maps x (n, height, width, channels) with padding around, each cell `value`."""
    top, bottom = row_slide.before, row_slide.after
    left, right = col_slide.before, col_slide.after
    if not (top or bottom or left or right):
        return x  # there is no padding
    n, height, width, channels = x.shape
    padded_shape = (n, top + height + bottom, left + width + right, channels)
    padded = np.full(padded_shape, value, x.dtype)  # (n, padded height, padded width, channels)
    padded[:, top : top + height, left : left + width] = x  # the maps in the middle
    return padded


# --- pooling --------------------------------------------------------------------------------------


class _Pooling2D(Layer):
    """The part that max and average pooling share: a window slides over each channel by itself.

    There are no weights. The stride is usually as long as the window, so windows do not overlap.
    With padding "valid", a last row or column that fills no window is left out: 11 rows give 5.
    """

    def __init__(self, name: str, input_shape: Shape, row_slide: Slide, col_slide: Slide) -> None:
        """Slide the window along the rows and columns."""
        output_shape = (row_slide.positions, col_slide.positions, input_shape[-1])
        super().__init__(name, input_shape, output_shape)
        self.row_slide, self.col_slide = row_slide, col_slide

    def _combine_windows(self, x: Array, combine: np.ufunc, padding: float) -> Array:
        """Return one number for each position of the window, (n, rows, cols, channels).

        A 2×2 window has a top-left, a top-right, a bottom-left and a bottom-right cell. The loops
        take one of these per step, for all positions of the window at once.

        Args:
            x: Feature maps, (n, height, width, channels).
            combine: np.maximum or np.add, which take two arrays and an array for the result.
            padding: The number in each cell of the padding.
        """
        x = _pad(x, self.row_slide, self.col_slide, padding)
        for down in range(self.row_slide.window):
            for across in range(self.col_slide.window):
                row_cells = self.row_slide.cells_at(down)
                col_cells = self.col_slide.cells_at(across)
                values = x[:, row_cells, col_cells]  # (n, rows, cols, channels), a view
                if down == across == 0:
                    result = values.copy()  # (n, rows, cols, channels); x must not change
                else:
                    combine(result, values, out=result)
        return result


class MaxPooling2D(_Pooling2D):
    """Keep the largest value under the window.

    Padding counts as -∞ and never wins; as 0 it would win over negative values.
    """

    def pre_activation(self, x: Array) -> Array:
        """Return the maxima, (n, rows, cols, channels)."""
        return self._combine_windows(x, np.maximum, padding=-np.inf)


class AveragePooling2D(_Pooling2D):
    """Keep the mean of the values under the window; padding does not count."""

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the means, (n, rows, cols, channels)."""
        means = self._combine_windows(x, np.add, padding=0)  # (n, rows, cols, channels), still sums
        counts = np.outer(self.row_slide.cells_inside(), self.col_slide.cells_inside())
        counts = counts[..., np.newaxis]  # (rows, cols, 1): the same for each channel
        means /= counts.astype(np.float32)  # with integers, NumPy would compute in float64
        return means


class GlobalAveragePooling2D(Layer):
    """Keep the mean of each whole feature map; with `keepdims` the output is (1, 1, channels)."""

    def __init__(self, name: str, input_shape: Shape, keepdims: bool = False) -> None:
        """Set windows of the whole map; only the receptive field needs them."""
        height, width, channels = input_shape
        super().__init__(name, input_shape, (1, 1, channels) if keepdims else (channels,))
        self.row_slide, self.col_slide = Slide.whole(height), Slide.whole(width)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the means, (n, *output_shape)."""
        means: Array = x.mean(axis=(1, 2))  # (n, channels)
        return means.reshape(-1, *self.output_shape)  # (n, *output_shape)


# --- flat layers ----------------------------------------------------------------------------------


class Flatten(Layer):
    """Put all numbers of an image's feature maps in one vector, channel after channel of each cell.

    The number at (row, col, channel) gets the index (row · width + col) · channels + channel. The
    next dense layer has its weight for this number at the same index.
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        """Set windows of the whole map; only the receptive field needs them."""
        super().__init__(name, input_shape, (math.prod(input_shape),))
        if len(input_shape) == 3:  # an input that is flat already has no map
            height, width, _ = input_shape
            self.row_slide, self.col_slide = Slide.whole(height), Slide.whole(width)

    def pre_activation(self, x: Array) -> Array:
        """Return the vectors, (n, height·width·channels)."""
        return x.reshape(-1, *self.output_shape)


class Dense(Layer):
    """Compute a weighted sum of all inputs, plus bias, for each unit.

    A unit has a weight of its own for each input. It computes what a filter would whose kernel is
    as large as the input, and which therefore has one position. That is why most of the weights in
    the network at the top of this file are here: 1600·128 + 128 = 204,928.

    Without a Flatten before it, the input is still (n, rows, cols, channels). Then, as in Keras,
    the inputs of a sum are the channels of one cell, and all cells share the weights.

    Weights, by their names in Keras: "kernel" (inputs, units), here a matrix; "bias" (units,),
    which a layer may lack.
    """

    def __init__(
        self,
        name: str,
        input_shape: Shape,
        weights: Mapping[str, Array],
        activation: str = "linear",
    ) -> None:
        """Connect the inputs, the last axis of `input_shape`, with each unit."""
        units = weights["kernel"].shape[-1]
        super().__init__(name, input_shape, (*input_shape[:-1], units), weights)
        self.activation = activation

    def weighted_sums(self, x: Array) -> Array:
        """Return the weighted sums without the bias, (n, *output_shape)."""
        matrix = self.weights["kernel"]  # (inputs, units)
        vectors = x.reshape(-1, len(matrix))  # (n, inputs), or (n·rows·cols, inputs)
        sums: Array = vectors @ matrix  # (n, units), or (n·rows·cols, units)
        return sums.reshape(-1, *self.output_shape)  # (n, *output_shape)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the weighted sums plus bias, (n, *output_shape)."""
        z = self.weighted_sums(x)  # (n, *output_shape)
        if "bias" in self.weights:
            z += self.weights["bias"]  # (units,), one number for each unit
        return z
