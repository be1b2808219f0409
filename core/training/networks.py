"""The networks that recipes train: the tutorial's, and a larger one that is a teacher only."""

from typing import Any

from core.dataset import CLASS_NAMES
from core.training.backend import import_keras
from core.training.recipes import Recipe


def build_model(recipe: Recipe, *, in_training: bool = False) -> Any:
    """Build a recipe's network, untrained.

    Args:
        recipe: Decides which network it is, and which layers it has in training only.
        in_training: Whether to add those layers; they have no weights, and the names of the others
            stay the same.

    Returns:
        A `keras.Sequential` for images (28, 28, 1), float32 from 0 to 1.
    """
    keras = import_keras()
    layers = keras.layers
    flattened, units = recipe.dropout if in_training else (0.0, 0.0)
    images = []
    if in_training and recipe.flips:
        images.append(layers.RandomFlip("horizontal"))
    if in_training and recipe.shifts:
        pixel = 1 / 28
        images.append(
            layers.RandomTranslation(pixel, pixel, fill_mode="constant", interpolation="nearest")
        )
    if recipe.network == "large":
        maps = _large_network()
        hidden = []
    else:
        maps = [
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_1"),
            layers.MaxPooling2D(2, name="pool_layer_2"),
            layers.Conv2D(64, 3, activation="relu", name="conv_layer_3"),
            layers.MaxPooling2D(2, name="pool_layer_4"),
        ]
        hidden = [layers.Dense(128, activation="relu", name="dense_layer_6")]
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            *images,
            *maps,
            layers.Flatten(name="flatten_layer_5"),
            *([layers.Dropout(flattened)] if flattened else []),
            *hidden,
            *([layers.Dropout(units)] if units else []),
            layers.Dense(len(CLASS_NAMES), activation="softmax", name="dense_layer_7"),
        ]
    )


def _large_network() -> list[Any]:
    """Return the teacher's layers up to its last feature maps (3, 3, 128)."""
    layers = import_keras().layers

    def block(number: int, filters: int, *pool: Any) -> list[Any]:
        return [
            layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{number}"),
            # Pool first: normalization and ReLU then have a quarter of the work.
            *pool,
            # Keras's own momentum, 0.99, follows too slowly for a training of a few epochs.
            layers.BatchNormalization(momentum=0.9, name=f"normalization_{number}"),
            layers.ReLU(),
        ]

    return [
        *block(1, 32, layers.MaxPooling2D(2)),
        *block(2, 64),
        *block(3, 64, layers.MaxPooling2D(2)),
        *block(4, 128),
        *block(5, 128, layers.MaxPooling2D(2)),
    ]
