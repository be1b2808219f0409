"""The optimizers that recipes name: Adam, and Muon for kernels; learning rate and weight decay."""

from typing import Any

from core.training.backend import import_keras
from core.training.recipes import Recipe


def build_optimizer(recipe: Recipe, steps: int) -> Any:
    """Build a recipe's optimizer.

    Args:
        recipe: Decides which optimizer it is, its learning rates and its weight decay.
        steps: Steps of the whole training, over which the learning rate rises and falls.

    Returns:
        A `keras.optimizers.Optimizer`; biases have no weight decay.
    """
    keras = import_keras()
    rate = recipe.learning_rate
    if recipe.warm_up is not None:
        rising = round(recipe.warm_up * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps - rising, warmup_target=recipe.learning_rate, warmup_steps=rising
        )
    if recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, weight_decay=recipe.weight_decay or None)
    else:
        optimizer = _muon(rate, recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def _muon(rate: Any, weight_decay: float) -> Any:
    """Return Muon for all kernels but the last layer's; Adam for that one and the biases."""
    keras = import_keras()

    class Muon(keras.optimizers.Muon):  # type: ignore[misc, name-defined]
        """Keras's Muon, with the kernel of a convolution as a matrix of one column per filter."""

        def _should_use_adamw(self, variable: Any) -> bool:
            return variable.path.endswith("bias") or "dense_layer_7" in variable.path

        def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
            matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
            return keras.ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

        def lr_adjust(self, x: Any) -> Any:
            matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
            return keras.ops.reshape(super().lr_adjust(matrix), x.shape)

    return Muon(rate, weight_decay=weight_decay, adam_weight_decay=weight_decay)
