"""A `.keras` archive, read without Keras: what its layers are and what their weights hold.

The format is a zip archive of `config.json` (the layers, in order) and `model.weights.h5` (an HDF5
file of their weights). Keras rebuilds Python objects from it; this module only reads numbers. The
file may come from a stranger: nothing in it is executed, and each size is compared with its limit
before memory is allocated.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO, Self

import h5py
import numpy as np

from core.network.layer_config import LayerConfig, is_size, shortened
from core.network.types import Array, ModelError, Shape
from core.paths import readable

MAX_CONFIG_BYTES = 4 * 2**20
MAX_WEIGHTS_BYTES = 256 * 2**20  # optimizer state included, which triples what Adam trained

# What h5py raises on damage, depending on where the damage is.
HDF5_ERRORS = (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError)


class KerasFile:
    """An open `.keras` archive of a Sequential model, or of a Functional one without branches.

    Attributes:
        input_shape: height, width and channels of an image.
        layers: the layers in order, without the InputLayer.
    """

    def __init__(self, file: str | Path | BinaryIO, name: str = "") -> None:
        """Read the configuration.

        Args:
            file: Path of the archive, or an open file that can be read at any position.
            name: What errors call the file; the last part of its path by default.

        Raises:
            ModelError: The configuration is damaged or does not describe a plain chain of layers.
        """
        path = Path(file) if isinstance(file, str | Path) else Path("the file")
        self.name = name or readable(path.name)
        try:
            self._zip = zipfile.ZipFile(file)
        except OSError as error:
            raise self._error(f"cannot be opened ({error.strerror})") from error
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise self._error("is not a .keras file: it is damaged or not a zip archive") from error
        try:
            self.input_shape, self.layers = self._read_config()
        except BaseException:
            self._zip.close()
            raise
        self._groups = _group_names(self.layers)
        self._hdf5: h5py.File | None = None
        self._unread_bytes = 0

    def __enter__(self) -> Self:
        """Return the open file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the archive."""
        if self._hdf5 is not None:
            self._hdf5.close()
        self._zip.close()

    def read_weights(self, layer: LayerConfig, shapes: Mapping[str, Shape]) -> Mapping[str, Array]:
        """Return the weights of one of `self.layers`, read-only float32 arrays.

        Args:
            layer: One of `self.layers`.
            shapes: Name and shape of each of its weights, in the order in which Keras saves them.

        Raises:
            ModelError: The weights are missing, have other shapes or types, are stored in a way
                that Keras never does, or hold values that are not finite.
        """
        try:
            return self._read_weights(layer, shapes)
        except HDF5_ERRORS as error:
            raise layer.error(
                "has weights that cannot be read: model.weights.h5 is damaged"
            ) from error

    def _error(self, what: str) -> ModelError:
        return ModelError(f"{self.name} {what}.")

    # The configuration

    def _read_config(self) -> tuple[tuple[int, int, int], tuple[LayerConfig, ...]]:
        try:
            model = json.loads(self._read_member("config.json", MAX_CONFIG_BYTES))
        except (ValueError, RecursionError) as error:
            raise self._error("is damaged: its config.json is not valid JSON") from error
        try:
            return self._read_model(model)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise self._error(
                "is damaged: its config.json does not describe a Keras model"
            ) from error

    def _read_model(self, model: Any) -> tuple[tuple[int, int, int], tuple[LayerConfig, ...]]:
        kind, config = model["class_name"], model["config"]
        if kind not in ("Sequential", "Functional") or not _is_keras_own(model):
            raise self._error(
                f"holds a {shortened(kind)} model; only Sequential and Functional can be opened"
            )
        entries = config["layers"]
        layers = [self._read_layer(entry) for entry in entries]
        names = [layer.name for layer in layers]
        for name, count in Counter(names).items():
            if count > 1:
                raise self._error(f'has {count} layers of the name "{name:.60}"; names must differ')
        if kind == "Functional":
            for previous, layer, entry in zip([None, *names], layers, entries, strict=False):
                _check_chained(layer, entry["inbound_nodes"], previous)
            outputs = config["output_layers"]
            if outputs not in ([names[-1], 0, 0], [[names[-1], 0, 0]]):
                raise self._error(
                    f'must have its last layer "{names[-1]:.60}" as its one output, but has '
                    f"output_layers={shortened(outputs)}"
                )
        if layers and layers[0].kind == "InputLayer":
            source, *layers = layers
            source.require_float32()
            batch_shape = source.properties["batch_shape"]
        else:
            # A Sequential model that learnt its input's shape from the first images it saw.
            batch_shape = config.get("build_input_shape")
        for layer in layers:
            if layer.kind == "InputLayer":
                raise layer.error("is a second input; only models with one input can be opened")
        if not layers:
            raise self._error("has no layers")
        if not (
            isinstance(batch_shape, list)
            and len(batch_shape) == 4
            and all(map(is_size, batch_shape[1:]))
        ):
            raise self._error(
                f"has an InputLayer with batch_shape={shortened(batch_shape)}, but only a fixed "
                "height, width and number of channels is supported"
            )
        _, height, width, channels = batch_shape
        return (height, width, channels), tuple(layers)

    def _read_layer(self, entry: Any) -> LayerConfig:
        kind, properties = entry["class_name"], entry["config"]
        layer = LayerConfig(self.name, properties["name"], kind, MappingProxyType(properties))
        if not (isinstance(layer.name, str) and isinstance(kind, str)):
            raise TypeError("names are strings")
        if readable(layer.name) != layer.name:
            raise self._error(
                f"has a layer whose name {shortened(layer.name)} is not printable text: rename it"
            )
        if not _is_keras_own(entry):
            raise layer.error("is a custom object, and custom code is never run")
        return layer

    # Bytes and weights

    def _read_member(self, member: str, limit: int) -> bytes:
        """Unpack one member of the archive, unless it says that it is larger than `limit` bytes."""
        try:
            info = self._zip.getinfo(member)
        except KeyError:
            raise self._error(f"is not a .keras file of Keras 3: it holds no {member}") from None
        if info.file_size > limit:
            raise self._error(
                f"is refused: its {member} unpacks to {info.file_size:,} bytes, more than the "
                f"{limit:,} allowed"
            )
        try:
            # zipfile never yields more than the declared size, so the check above is enough.
            return self._zip.read(info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,  # a compression method that zipfile does not know
            RuntimeError,  # a password
        ) as error:
            raise self._error(f"is damaged: its {member} cannot be unpacked") from error

    def _open_weights(self) -> h5py.File:
        if self._hdf5 is None:
            content = self._read_member("model.weights.h5", MAX_WEIGHTS_BYTES)
            try:
                self._hdf5 = h5py.File(io.BytesIO(content), "r")
            except HDF5_ERRORS as error:
                raise self._error("is damaged: its model.weights.h5 is not HDF5") from error
            self._unread_bytes = len(content)
        return self._hdf5

    def _read_weights(self, layer: LayerConfig, shapes: Mapping[str, Shape]) -> Mapping[str, Array]:
        if not shapes:
            return MappingProxyType({})
        group: Any = self._open_weights()
        for step in ("layers", self._groups[layer.name], "vars"):
            group = _hard_linked(group, step, layer)
            if not isinstance(group, h5py.Group):
                raise layer.error(f"has no weights: {step} is not a group in model.weights.h5")
        if len(group) != len(shapes):
            raise layer.error(
                f"has {len(group)} weights, but its configuration asks for {len(shapes)}"
            )
        weights = {}
        for index, (name, shape) in enumerate(shapes.items()):
            weights[name] = self._read_array(
                _hard_linked(group, str(index), layer), layer, name, shape
            )
        return MappingProxyType(weights)

    def _read_array(self, dataset: Any, layer: LayerConfig, name: str, shape: Shape) -> Array:
        if not isinstance(dataset, h5py.Dataset):
            raise layer.error(f"has a {name} that is not an array")
        if dataset.shape != shape:
            raise layer.error(
                f"has a {name} of shape {dataset.shape}, but its configuration asks for {shape}"
            )
        if dataset.dtype != np.float32:
            raise layer.error(f"has a {name} of type {dataset.dtype}; only float32 is supported")
        if dataset.is_virtual or dataset.external:
            raise layer.error(f"has a {name} that is stored in another file")
        # Keras stores plain arrays. In chunks, compressed or left empty, a dataset can declare far
        # more than the file holds.
        size = math.prod(shape) * dataset.dtype.itemsize
        self._unread_bytes -= size
        if dataset.chunks or dataset.id.get_storage_size() != size or self._unread_bytes < 0:
            raise layer.error(f"has a {name} that declares more data than the file holds")
        array: Array = dataset[()].astype(np.float32, copy=False)  # in this machine's byte order
        if not np.isfinite(array).all():
            raise layer.error(f"has a {name} with values that are not finite; train the model anew")
        array.flags.writeable = False
        return array


def _is_keras_own(entry: Mapping[str, Any]) -> bool:
    """Return whether a serialised object is of a class that Keras itself defines."""
    package = str(entry.get("module")).split(".")[0]
    return package == "keras" and entry.get("registered_name") in (None, entry["class_name"])


def _check_chained(layer: LayerConfig, nodes: Any, previous: str | None) -> None:
    """Raise `ModelError` unless the layer is called once, on the layer before it and nothing else.

    A node is one call of a layer; its tensor names the layer that it comes from in `keras_history`.
    """
    if layer.kind == "InputLayer" and not nodes:
        return
    if len(nodes) != 1:
        raise layer.error(f"has {len(nodes)} inbound_nodes; only a chain of layers can be opened")
    arguments = nodes[0]["args"]
    tensor = arguments[0] if len(arguments) == 1 else None
    source = tensor["config"]["keras_history"] if isinstance(tensor, dict) else None
    if source is None:
        raise layer.error("has inbound_nodes with several inputs; branches are not supported")
    if source != [previous, 0, 0]:
        raise layer.error(
            f"has inbound_nodes from {shortened(source[0])} instead of the layer before it; "
            "branches are not supported"
        )
    for key, value in nodes[0]["kwargs"].items():
        if value:
            raise layer.error(f"is called with {key}={shortened(value)}, which is not supported")


def _group_names(layers: Collection[LayerConfig]) -> dict[str, str]:
    """Return each layer's HDF5 group: its class in snake case, numbered from the second on.

    Keras finds the group in the same way (`_load_container_state` in
    `keras.src.saving.saving_lib`). Newer versions also write the layer's name to an attribute of
    it. That is not read: HDF5 stores such strings in a structure (the global heap) that can be
    damaged so that reading never ends.
    """
    seen: Counter[str] = Counter()
    names = {}
    for layer in layers:
        snake = re.sub(r"\W+", "", layer.kind)
        snake = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", snake)
        snake = re.sub("([a-z])([A-Z])", r"\1_\2", snake).lower()
        names[layer.name] = f"{snake}_{seen[snake]}" if seen[snake] else snake
        seen[snake] += 1
    return names


def _hard_linked(group: h5py.Group, key: str, layer: LayerConfig) -> Any:
    """Return a member of an HDF5 group; refuse a link that may lead to another file."""
    link = group.get(key, getlink=True)
    if link is None:
        raise layer.error(
            f"has no weights: {group.name.rstrip('/')}/{key} is not in model.weights.h5"
        )
    if not isinstance(link, h5py.HardLink):
        raise layer.error(f"has weights behind a {type(link).__name__}, which is never followed")
    return group[key]
