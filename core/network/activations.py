"""The non-linear functions behind a layer's weighted sums.

Each takes float32 z of any shape and returns an array of that shape. With `out`, the result is
written there: the forward pass gives z itself, which saves the time for a new array.
"""

from __future__ import annotations

import numpy as np

from core.network.keras_file import Array


def linear(z: Array, out: Array | None = None) -> Array:  # noqa: ARG001
    """Return z."""
    return z


def relu(z: Array, out: Array | None = None) -> Array:
    """Return max(z, 0)."""
    return np.maximum(z, 0, out=out)


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """Return 1 / (1 + exp(-z)), between 0 and 1."""
    # The same function as (1 + tanh(z / 2)) / 2, in which nothing overflows.
    out = np.tanh(0.5 * z, out=out)
    out += 1
    out *= 0.5
    return out


def tanh(z: Array, out: Array | None = None) -> Array:
    """Return the hyperbolic tangent of z, between -1 and 1."""
    return np.tanh(z, out=out)


def softmax(z: Array, out: Array | None = None) -> Array:
    """Return probabilities from logits z: exp(z) divided by its sum along the last axis."""
    # Subtracting the largest logit changes no probability, and keeps exp from overflowing.
    out = np.subtract(z, z.max(axis=-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=-1, keepdims=True)
    return out


ACTIVATIONS = {function.__name__: function for function in (linear, relu, sigmoid, tanh, softmax)}
