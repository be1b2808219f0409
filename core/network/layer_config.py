"""One layer's entry in a `.keras` file's `config.json`, with a check of each property."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np

from core.network.types import Array, ModelError, Shape

MAX_FLOAT32 = float(np.finfo(np.float32).max)

# Properties that shape training, or the weights before it, but not what the trained network does.
TRAINING_ONLY = {
    *("trainable", "momentum", "renorm_momentum", "synchronized", "activity_regularizer"),
    *("rate", "seed", "noise_shape"),
    *(
        f"{weight}_{role}"
        for weight in ("kernel", "bias", "beta", "gamma", "moving_mean", "moving_variance")
        for role in ("initializer", "regularizer", "constraint")
    ),
}


@dataclass(frozen=True)
class LayerConfig:
    """One layer as `config.json` describes it, with typed access to its properties.

    The accessors raise `ModelError`, naming the layer and the property, for any value outside what
    they promise. They remember what was asked for, so that `refuse_unread` finds the rest.
    """

    file: str
    name: str
    kind: str  # the Keras class name
    properties: Mapping[str, Any]
    _read: set[str] = field(default_factory=lambda: {"name", "dtype"})

    def error(self, what: str) -> ModelError:
        """Return the exception to raise for this layer; `what` completes "the layer ..."."""
        return ModelError(f'{self.file}: the layer "{self.name:.60}" ({self.kind:.60}) {what}.')

    def refuse(self, key: str, supported: str) -> ModelError:
        """Return the exception to raise for the value of one property."""
        value = shortened(self.properties.get(key))
        return self.error(f"has {key}={value}, but only {supported} is supported")

    def choice(self, key: str, supported: Collection[Any]) -> Any:
        """Return a property that must be one of the `supported` values."""
        value = self._take(key)
        # Compared as JSON, because Python takes true and 1 for equal.
        if json.dumps(value) not in map(json.dumps, supported):
            raise self.refuse(key, " or ".join(map(json.dumps, supported)))
        return value

    def integer(self, key: str) -> int:
        """Return a property that must be a positive integer."""
        value = self._take(key)
        if not is_size(value):
            raise self.refuse(key, "a positive integer")
        return value

    def pair(self, key: str) -> tuple[int, int]:
        """Return two positive integers: along the rows, along the columns."""
        value = self._take(key)
        if not (isinstance(value, list) and len(value) == 2 and all(map(is_size, value))):
            raise self.refuse(key, "a pair of positive integers")
        return value[0], value[1]

    def number(self, key: str) -> float:
        """Return a finite number that is not negative."""
        value = self._take(key)
        if type(value) not in (int, float) or not 0 <= value <= MAX_FLOAT32:
            raise self.refuse(key, "a number of at least 0")
        return float(value)

    def numbers(self, key: str, shape: Shape) -> Array:
        """Return a finite number, or nested lists of them, that broadcast to `shape`.

        `shape` is without the batch axis.
        """
        value = self._take(key)
        match value:
            case {"class_name": "__numpy__", "config": {"value": list(numbers)}}:
                value = numbers
        try:
            array = np.array(value, dtype=np.float32)
            fits = np.broadcast_shapes(array.shape, shape) == shape and np.isfinite(array).all()
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise self.refuse(key, f"a finite number, or a list of them that fits {shape},")
        return array

    def require_float32(self) -> None:
        """Raise `ModelError` if the layer computes in another type, or in several."""
        policy = self.properties.get("dtype")
        match policy:
            case {"class_name": "DTypePolicy", "config": {"name": str(name)}}:
                policy = name
        if policy != "float32":
            raise self.error(f"has dtype={shortened(policy)}, but only float32 is supported")

    def refuse_unread(self) -> None:
        """Raise `ModelError` for a property that is set but that no accessor was asked for.

        Keras grows new properties; a version that adds one writes null or false where it is unused.
        """
        for key, value in self.properties.items():
            if value and key not in self._read and key not in TRAINING_ONLY:
                raise self.refuse(key, f"a {self.kind} without it")

    def _take(self, key: str) -> Any:
        self._read.add(key)
        return self.properties.get(key)


def is_size(value: object) -> TypeGuard[int]:
    """Return whether a value can be the size of an axis: a positive 32-bit integer."""
    return type(value) is int and 0 < value < 2**31


def shortened(value: object) -> str:
    """Return a value as JSON for an error's sentence, at most 60 characters."""
    try:
        text = json.dumps(value)
    except RecursionError:  # lists in lists in lists
        text = str(type(value))
    return text if len(text) <= 60 else text[:57] + "..."
