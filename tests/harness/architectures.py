"""Random architectures over every layer that `core.network` knows, as data and as Keras models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from hypothesis import strategies as st

ACTIVATIONS = st.sampled_from(["relu", "linear", "softmax", "sigmoid", "tanh"])
PADDINGS = st.sampled_from(["valid", "same"])

Plan = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Architecture:
    """Keras class names and arguments, in order, and how the model is put together."""

    style: str  # "sequential", "functional" or "no input layer"
    input_shape: tuple[int, int, int]
    layers: tuple[Plan, ...]
    seed: int

    def images(self, count: int = 3) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        return rng.random((count, *self.input_shape), dtype=np.float32)

    def build(self) -> keras.Model:
        """The Keras model, with weights that leave no formula at a trivial value."""
        layers = [getattr(keras.layers, kind)(**arguments) for kind, arguments in self.layers]
        if self.style == "functional":
            source = x = keras.Input(self.input_shape)
            for layer in layers:
                x = layer(x)
            model = keras.Model(source, x)
        elif self.style == "sequential":
            model = keras.Sequential([keras.Input(self.input_shape), *layers])
        else:
            model = keras.Sequential(layers)
            model(self.images())
        rng = np.random.default_rng(self.seed + 1)
        for weight in model.weights:
            if "variance" in weight.name:
                weight.assign(rng.uniform(0.5, 2, weight.shape))
            else:
                inputs = math.prod(weight.shape[:-1])
                weight.assign(rng.normal(0, 1 / math.sqrt(inputs), weight.shape))
        return model


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Up to nine layers on a small image; each layer fits what the one before it returns."""
    height, width = draw(st.integers(4, 12)), draw(st.integers(4, 12))
    channels = draw(st.integers(1, 3))
    style = draw(st.sampled_from(["sequential", "functional", "no input layer"]))
    layers: list[Plan] = []
    size = [height, width, channels]

    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["Conv2D", "MaxPooling2D", "AveragePooling2D", "pointwise"]))
        if kind == "pointwise":
            layers.append(draw(pointwise(size[2])))
            continue
        arguments: dict[str, Any] = {"padding": draw(PADDINGS)}
        valid = arguments["padding"] == "valid"
        window = tuple(draw(st.integers(1, min(4, n) if valid else 4)) for n in size[:2])
        strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        arguments["strides"] = strides
        if kind == "Conv2D":
            arguments |= {
                "kernel_size": window,
                "filters": draw(st.integers(1, 4)),
                "activation": draw(ACTIVATIONS),
                "use_bias": draw(st.booleans()),
            }
            size[2] = arguments["filters"]
        else:
            arguments["pool_size"] = window
        for axis in (0, 1):
            covered = size[axis] - window[axis] + 1 if valid else size[axis]
            size[axis] = math.ceil(covered / strides[axis])
        layers.append((kind, arguments))

    head = draw(st.sampled_from(["Flatten", "GlobalAveragePooling2D", "keepdims", "none"]))
    features = size[2]
    if head == "Flatten":
        layers.append(("Flatten", {}))
        features = math.prod(size)
    elif head != "none":
        layers.append(("GlobalAveragePooling2D", {"keepdims": head == "keepdims"}))
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            features = draw(st.integers(1, 8))
            dense = {
                "units": features,
                "activation": draw(ACTIVATIONS),
                "use_bias": draw(st.booleans()),
            }
            layers.append(("Dense", dense))
        else:
            layers.append(draw(pointwise(features)))
    return Architecture(style, (height, width, channels), tuple(layers), draw(st.integers(0, 999)))


def pointwise(channels: int) -> st.SearchStrategy[Plan]:
    """A layer that keeps its input's shape."""
    number = st.floats(-2, 2, width=16)
    per_channel = st.lists(number, min_size=channels, max_size=channels)
    return st.one_of(
        st.tuples(st.just("Dropout"), st.just({"rate": 0.5})),
        st.tuples(st.just("Softmax"), st.just({})),
        st.tuples(st.just("Activation"), st.fixed_dictionaries({"activation": ACTIVATIONS})),
        st.tuples(
            st.just("BatchNormalization"),
            st.fixed_dictionaries(
                {
                    "scale": st.booleans(),
                    "center": st.booleans(),
                    "epsilon": st.sampled_from([1e-3, 0.1]),
                }
            ),
        ),
        st.tuples(
            st.just("ReLU"),
            st.fixed_dictionaries(
                {
                    "max_value": st.sampled_from([None, 0.5, 6.0]),
                    "negative_slope": st.sampled_from([0.0, 0.25]),
                    "threshold": st.sampled_from([0.0, 0.125]),
                }
            ),
        ),
        st.tuples(
            st.just("Rescaling"),
            st.fixed_dictionaries({"scale": number | per_channel, "offset": number | per_channel}),
        ),
    )
