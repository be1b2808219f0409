"""A convolutional network in NumPy that computes what Keras computes.

    network = Network.load("assets/models/tutorial/model.keras")
    outputs = network.activations(images)  # layer name to array, for images (n, 28, 28, 1)

- `layers` has the arithmetic of each kind of layer; begin there. `activations` and `base` belong to
  it.
- `forward` runs a chain of layers and knows receptive fields, with `geometry`.
- `keras_file` and `keras_layers` read a `.keras` file without Keras.
"""

from core.network.activations import ACTIVATIONS, linear, relu, sigmoid, softmax, tanh
from core.network.base import Layer
from core.network.forward import BATCH_SIZE, Network
from core.network.geometry import Field, Slide
from core.network.keras_file import Array, ModelError, Shape
from core.network.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)

__all__ = [
    "ACTIVATIONS",
    "BATCH_SIZE",
    "Activation",
    "Array",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "Dropout",
    "Field",
    "Flatten",
    "GlobalAveragePooling2D",
    "Layer",
    "MaxPooling2D",
    "ModelError",
    "Network",
    "ReLU",
    "Rescaling",
    "Shape",
    "Slide",
    "Softmax",
    "linear",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]
