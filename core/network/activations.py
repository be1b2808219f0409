"""The non-linear functions that follow a layer's weighted sums.

Each takes the pre-activation z, float32 of any shape, and returns an array of that shape. Softmax
compares the numbers along the last axis; the others compute each number by itself.
"""

from __future__ import annotations

import numpy as np

from core.network.types import Array


def linear(z: Array) -> Array:
    """Return z itself: the layer has no non-linearity."""
    return z


def relu(z: Array) -> Array:
    """Return max(z, 0): the rectified linear unit."""
    return np.maximum(z, 0)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), between 0 and 1."""
    # The same function written with tanh, because exp(-z) overflows for large negative z.
    shares: Array = (np.tanh(0.5 * z) + 1) * 0.5
    return shares


def tanh(z: Array) -> Array:
    """Return the hyperbolic tangent of z, between -1 and 1."""
    return np.tanh(z)


def softmax(z: Array) -> Array:
    """Return probabilities from logits z: exp(z) divided by its sum along the last axis."""
    # Subtracting the largest logit changes no probability, and keeps exp from overflowing.
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    probabilities: Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


ACTIVATIONS = {function.__name__: function for function in (linear, relu, sigmoid, tanh, softmax)}


def relu_in_place(z: Array) -> Array:
    """Overwrite z with `relu(z)`, and return it.

    This is the fast variant, because large feature maps need no new array; `python -m
    benchmarks.forward` measures the forward pass. The other activations follow small layers.
    """
    return np.maximum(z, 0, out=z)
