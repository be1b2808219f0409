"""Layers without windows: they compute each value, or each channel, by itself.

The words and conventions are those of `core.network.layers`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.network.base import Layer, finite
from core.network.types import Array, Shape


class Dropout(Layer):
    """Return the input unchanged.

    While the network trains, dropout sets random values to 0 (Srivastava et al., 2014). A trained
    network uses all of them.
    """


class BatchNormalization(Layer):
    """Shift and scale each channel by the mean and variance that training saw.

    gamma · (x - moving_mean) / sqrt(moving_variance + epsilon) + beta (Ioffe and Szegedy, 2015).

    The mean and variance are stored with the weights and not computed from the batch, so an image's
    result does not depend on the other images. gamma and beta are learned; epsilon is a small
    number against a division by 0.

    Weights, each (channels,): gamma and beta unless switched off, moving_mean, moving_variance.
    """

    def __init__(
        self, name: str, input_shape: Shape, weights: Mapping[str, Array], epsilon: float
    ) -> None:
        """Fold the formula into one factor and one summand per channel.

        gamma · (x - mean) / deviation + beta = x · factor + summand,
        with factor = gamma / deviation and summand = beta - mean · factor.
        """
        super().__init__(name, input_shape, weights=weights)
        self._epsilon = epsilon
        with np.errstate(over="ignore", invalid="ignore"):  # `pre_activation` raises
            deviation = np.sqrt(weights["moving_variance"] + np.float32(epsilon))  # (channels,)
            self._factor = weights.get("gamma", np.float32(1)) / deviation  # (channels,)
            shift = weights["moving_mean"] * self._factor  # (channels,)
            self._summand = weights.get("beta", np.float32(0)) - shift  # (channels,)

    def with_weights(self, weights: Mapping[str, Array]) -> Layer:
        """Return the same layer with other weights, of the same names and shapes."""
        return BatchNormalization(self.name, self.input_shape, weights, self._epsilon)

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the normalised values, (n, *output_shape)."""
        out: Array = x * self._factor  # (n, *output_shape)
        out += self._summand  # (channels,), added along the last axis
        return out


class Rescaling(Layer):
    """Compute scale · x + offset, for example 1/255 for images with values from 0 to 255."""

    def __init__(self, name: str, input_shape: Shape, scale: Array, offset: Array) -> None:
        """Store the two numbers, or arrays that broadcast to the input."""
        super().__init__(name, input_shape)
        self.scale, self.offset = scale, offset

    @finite
    def pre_activation(self, x: Array) -> Array:
        """Return the rescaled values, (n, *output_shape)."""
        out: Array = x * self.scale  # (n, *output_shape)
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
    def activate(self, z: Array, overwrite: bool = False) -> Array:
        """Return the rectified values, (n, *output_shape)."""
        if self.threshold:
            out = np.where(z > self.threshold, z, np.float32(0))
        else:
            out = np.maximum(z, 0, out=z if overwrite and not self.negative_slope else None)
        if self.max_value is not None:
            np.minimum(out, self.max_value, out=out)
        if self.negative_slope:
            out += self.negative_slope * np.minimum(z - self.threshold, 0)
        return out
