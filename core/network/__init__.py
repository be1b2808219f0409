"""A convolutional network in NumPy that computes what Keras computes.

    network = Network.load("assets/models/tutorial/model.keras")
    outputs = network.activations(images)  # layer name to array, for images (n, 28, 28, 1)

- `layers` has the arithmetic of convolution, pooling and dense layers; begin there. `activations`,
  `pointwise_layers` and `base` belong to it.
- `forward` runs a chain of layers and computes receptive fields, with `geometry`.
- `keras_file`, `layer_config` and `keras_layers` read a `.keras` file without Keras.
"""

from core.network.activations import ACTIVATIONS, linear, relu, sigmoid, softmax, tanh
from core.network.base import Layer
from core.network.forward import BATCH_SIZE, Network, logits
from core.network.geometry import Field, Slide
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
from core.network.types import Array, ModelError, Shape

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
    "logits",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]
