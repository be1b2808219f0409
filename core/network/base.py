"""The interface that all layers share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np

from core.network.activations import ACTIVATIONS, relu_in_place
from core.network.geometry import Slide
from core.network.types import Array, ModelError, Shape

Arguments = ParamSpec("Arguments")
AnyLayer = TypeVar("AnyLayer", bound="Layer")

MAX_MAGNITUDE = 1e15
"""Largest magnitude of a layer's numbers: the sum of their squares over 10,000 images, which
`core.evidence.filter_study` computes, is still finite in float32 (up to 3·10³⁸)."""


class Layer:
    """One layer: a function of a batch, with its shapes and weights.

    This base class returns what it is given; each kind of layer, by its Keras class name, overrides
    what differs.

    Attributes:
        name: Unique in the network.
        input_shape, output_shape: Without the batch axis.
        weights: Read-only arrays by their Keras names ("kernel", "bias", "gamma", ...).
        activation: Name of the activation in `ACTIVATIONS`, None for a kind of layer without one.
        row_slide, col_slide: How its window slides over the input's rows and columns. A layer that
            works on each value by itself has a window of one cell; Flatten's covers the whole map.
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
        self.row_slide, self.col_slide = Slide(height), Slide(width)

    @property
    def kind(self) -> str:
        """The Keras class name."""
        return type(self).__name__

    @property
    def parameter_count(self) -> int:
        """Number of weights, including those that training does not change."""
        return sum(weight.size for weight in self.weights.values())

    @property
    def parameter_formula(self) -> str:
        """The count with its formula, one product of sizes per array: "3·3·1·64 + 64 = 640"."""
        if not self.weights:
            return "0"
        products = ("·".join(map(str, weight.shape)) for weight in self.weights.values())
        return f"{' + '.join(products)} = {self.parameter_count}"

    def pre_activation(self, x: Array) -> Array:
        """Return the layer's result before its activation, (n, *output_shape).

        Args:
            x: A batch, (n, *input_shape).
        """
        return x

    def activate(self, z: Array, overwrite: bool = False) -> Array:
        """Return the activation of a pre-activation z, (n, *output_shape).

        Args:
            z: What `pre_activation` returned.
            overwrite: Whether z may be overwritten, which is faster.
        """
        if self.activation is None:
            return z
        if overwrite and self.activation == "relu":
            return relu_in_place(z)
        return ACTIVATIONS[self.activation](z)

    def with_weights(self, weights: Mapping[str, Array]) -> Layer:
        """Return the same layer with other weights, of the same names and shapes."""
        twin = copy.copy(self)
        twin.weights = weights
        return twin

    def __call__(self, x: Array) -> Array:
        """Return the layer's output (n, *output_shape) for a batch `x` (n, *input_shape)."""
        z = self.pre_activation(x)
        # z may be overwritten if it is a new array. x belongs to the caller.
        return self.activate(z, overwrite=z is not x)

    def __repr__(self) -> str:
        """Return name, kind and shapes, for debugging."""
        return f"<{self.kind} {self.name!r}: {self.input_shape} -> {self.output_shape}>"


def finite(
    method: Callable[Concatenate[AnyLayer, Arguments], Array],
) -> Callable[Concatenate[AnyLayer, Arguments], Array]:
    """Let a method raise ModelError if a number of its result is too large or not finite."""

    @wraps(method)
    def checked(self: AnyLayer, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # no warning, because it raises below
            z = method(self, *args, **kwargs)
            flat = z.ravel()
            # The sum of squares bounds each number, and takes half the time of their maximum. NaN
            # compares as false.
            if not (
                flat @ flat <= MAX_MAGNITUDE**2 or np.abs(flat).max(initial=0) <= MAX_MAGNITUDE
            ):
                raise ModelError(
                    f'The layer "{self.name:.60}" gives numbers beyond 10¹⁵ for an image, because '
                    "weights are too large: choose another model."
                )
        return z

    return checked
