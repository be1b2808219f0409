"""TensorFlow and Keras: the only module that imports them, and only when it is asked to."""

import os
from typing import Any

from core.training.errors import TrainingError


def import_keras() -> Any:
    """Import Keras on a quiet, deterministic TensorFlow; the first time takes seconds.

    Returns:
        The module `keras`.

    Raises:
        TrainingError: TensorFlow is not installed.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Errors come as exceptions; TensorFlow's other messages are about its own build.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        raise TrainingError(f"Training needs TensorFlow ({error}): install it.") from error
    tf.config.experimental.enable_op_determinism()
    return keras


def library_versions() -> dict[str, str]:
    """Return the versions of TensorFlow and Keras by their names.

    Raises:
        TrainingError: TensorFlow is not installed.
    """
    keras = import_keras()
    import tensorflow as tf

    return {"TensorFlow": tf.__version__, "Keras": keras.__version__}
