"""Layers from a `.keras` file: one function per kind of layer reads configuration and weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from core.network.activations import ACTIVATIONS
from core.network.base import Layer
from core.network.geometry import Slide
from core.network.layer_config import LayerConfig
from core.network.layers import (
    AveragePooling2D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
)
from core.network.pointwise_layers import (
    Activation,
    BatchNormalization,
    Dropout,
    ReLU,
    Rescaling,
    Softmax,
)
from core.network.types import Array, Shape

MAX_VALUES = 2**25
"""Numbers that one image may take up in one layer: 128 MiB of float32."""

WeightReader = Callable[[Mapping[str, Shape]], Mapping[str, Array]]


def _read_conv2d(config: LayerConfig, input_shape: Shape, read: WeightReader) -> Layer:
    rows, cols = _read_slides(config, input_shape, "kernel_size")
    config.choice("groups", [1])
    config.choice("dilation_rate", [[1, 1]])
    activation = config.choice("activation", ACTIVATIONS)
    patch = (rows.window, cols.window, input_shape[-1])
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


def read_layer(config: LayerConfig, input_shape: Shape, read: WeightReader) -> Layer:
    """Return the layer that a configuration describes.

    Args:
        config: One entry of a `.keras` file's `config.json`.
        input_shape: The output shape of the layer before it.
        read: Returns the layer's weights, given their names and shapes.

    Raises:
        ModelError: A property is not supported or does not fit the input.
    """
    if config.kind not in READERS:
        raise config.error(f"cannot be opened; a model may have {', '.join(READERS)} layers")
    config.require_float32()
    _check_size(config, math.prod(input_shape))
    layer = READERS[config.kind](config, input_shape, read)
    config.refuse_unread()
    return layer


def _read_slides(config: LayerConfig, input_shape: Shape, window_size: str) -> tuple[Slide, Slide]:
    """Return the slides along rows and columns; `window_size` is the name of its property."""
    _require_map(config, input_shape)
    height, width, _ = input_shape
    windows, strides = config.pair(window_size), config.pair("strides")
    padding = config.choice("padding", ["valid", "same"])
    rows = Slide.padded(height, windows[0], strides[0], padding)
    cols = Slide.padded(width, windows[1], strides[1], padding)
    if min(rows.positions, cols.positions) < 1:
        raise config.refuse(window_size, f"a window that fits into {height}×{width}")
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
