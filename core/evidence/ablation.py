"""Filters switched off: what is left of the network's answer without them.

To switch a filter off is to set its activation map to a constant (0, or its mean), the kernel
untouched. The layers behind it see a channel that no longer says anything about the image.

    python -m core.ablation assets/models/tuned "conv_layer_1:3,17;conv_layer_3:5"

counts the right answers over all 10,000 test images.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.command_line.interrupts import status_of
from core.command_line.progress import Progress, ProgressBar
from core.dataset import CLASS_NAMES, DatasetError, Split, load_split, to_input
from core.evidence.statistics import wilson
from core.network import Activation, Array, Conv2D, Dense, Layer, MaxPooling2D, ModelError, Network

Shares = NDArray[np.float64]

Off = Mapping[str, Sequence[int]]
"""A convolution's name to those of its filters that are off, ascending."""

# Images at a time, few enough that their feature maps stay in the processor's cache.
_BATCH_SIZE = 16
# Values of several filters' results that pass a dense layer together: 16 MiB.
_MAX_VALUES_TOGETHER = 2**22


def convolutions(network: Network) -> tuple[Layer, ...]:
    """The layers whose filters can be switched off."""
    return tuple(layer for layer in network.layers if isinstance(layer, Conv2D))


def logits(layers: Sequence[Layer], x: Array) -> Array:
    """Return the pre-activation of the last layer, (n, classes).

    Args:
        layers: a network's, or those at its end that x still has to pass.
        x: a batch that the first of them takes.
    """
    *before, last = layers
    for layer in before:
        x = layer(x)
    return last.pre_activation(x)


def parse(text: str, network: Network) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Read what `spell` writes.

    Args:
        text: "conv_layer_1:3,17;conv_layer_3:5".
        network: Whose filters these are.

    Returns:
        The filters that are off, and the words of the text that are none of the network's filters.
    """
    counts = {layer.name: layer.output_shape[-1] for layer in convolutions(network)}
    found: dict[str, set[int]] = {name: set() for name in counts}
    wrong = []
    for part in filter(None, text.split(";")):
        quoted_name, _, numbers = part.rpartition(":")
        name = unquote(quoted_name)
        for word in numbers.split(","):
            is_number = word.isascii() and word.isdecimal() and len(word) < 6
            if name in counts and is_number and int(word) < counts[name]:
                found[name].add(int(word))
            else:
                wrong.append(f"{name}:{word}" if name else word)
    return {name: tuple(sorted(filters)) for name, filters in found.items() if filters}, wrong


def spell(off: Off) -> str:
    """The filters as the text that stands for them in an address; "" where none is off."""
    # A layer's name may have any of the three signs in it.
    words = {quote(name, safe=" "): ",".join(map(str, filters)) for name, filters in off.items()}
    return ";".join(f"{name}:{filters}" for name, filters in words.items())


@dataclass(frozen=True)
class Answers:
    """Right answers of a network by class (`right`), and images by class (`counts`)."""

    right: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, outputs: Array, labels: NDArray[np.uint8]) -> Answers:
        """Count, given the logits or probabilities (n, classes) and the labels (n,) of images."""
        hits = labels[outputs.argmax(axis=1) == labels]
        classes = len(CLASS_NAMES)
        return cls(
            tuple(np.bincount(hits, minlength=classes).tolist()),
            tuple(np.bincount(labels, minlength=classes).tolist()),
        )

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return sum(self.right) / sum(self.counts)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy on all images, of which these are a sample."""
        return wilson(sum(self.right), sum(self.counts))

    @property
    def class_accuracy(self) -> list[float]:
        """The share of right answers among the images of each class; 0 where there are none."""
        pairs = zip(self.right, self.counts, strict=True)
        return [right / max(count, 1) for right, count in pairs]


class _Constants(Layer):
    """Its input, with some channels at a constant instead."""

    def __init__(self, layer: Layer, filters: Sequence[int], constants: Array) -> None:
        """Follow a convolution; `constants` (filters of the layer,) has what each is when off."""
        super().__init__(f"{layer.name} with filters off", layer.output_shape)
        self._filters = list(filters)
        self._constants = constants[self._filters]

    def pre_activation(self, x: Array) -> Array:
        """The maps, (n, *output_shape)."""
        x = x.copy()
        x[..., self._filters] = self._constants
        return x


def switched_off(network: Network, off: Off, means: Mapping[str, Array] | None = None) -> Network:
    """The network with filters off.

    Args:
        network: A network, unchanged.
        off: Which filters.
        means: What a filter that is off gives everywhere, (filters,) for each convolution; 0
            without it.
    """
    layers: list[Layer] = []
    for layer in network.layers:
        layers.append(layer)
        if off.get(layer.name):
            layers.append(_Constants(layer, off[layer.name], _constants(layer, means)))
    return Network(network.input_shape, layers)


def predict(
    network: Network,
    activations: Mapping[str, Array],
    off: Off,
    means: Mapping[str, Array] | None = None,
) -> Array:
    """The network's output for one image with filters off, without the batch axis.

    Args:
        network: A network.
        activations: Each layer's output for the image, with all filters on; what comes before the
            filters that are off is taken from there.
        off, means: As in `switched_off`.
    """
    first = next((one for one in network.layers if off.get(one.name)), network.layers[-1])
    x: Array = activations[first.name][np.newaxis]
    for layer in switched_off(network, off, means).layers[network.layers.index(first) + 1 :]:
        x = layer(x)
    output: Array = x[0]
    return output


def _constants(layer: Layer, means: Mapping[str, Array] | None) -> Array:
    if means is not None:
        return means[layer.name]
    return np.zeros(layer.output_shape[-1], np.float32)


def _reader(network: Network, layer: Layer) -> int:
    """Return the index of the first layer after a convolution that mixes channels."""
    following = range(network.layers.index(layer) + 1, len(network.layers))
    mixes = (
        at
        for at in following
        if isinstance(network.layers[at], Conv2D | Dense)
        or network.layers[at].activation == "softmax"
    )
    return next(mixes, following[-1])


class _Packed:
    """An array of which much is 0, channel by channel."""

    def __init__(self, x: Array, count: int) -> None:
        """Keep what is not 0 of x, (n, ..., channels); a flattened map has its `count` channels
        side by side, for one position after the other."""
        self._shape = (*x.shape[:-1], x.shape[-1] // count)
        parts = [x[..., channel::count] for channel in range(count)]
        self._there = [np.packbits(part != 0) for part in parts]
        self._values = [part[part != 0] for part in parts]

    def channels(self, chosen: Sequence[int]) -> Array:
        """Some of the channels, side by side as they were."""
        x = np.zeros((len(chosen), *self._shape), np.float32)
        for one, channel in zip(x, chosen, strict=True):
            there = np.unpackbits(self._there[channel], count=one.size).view(np.bool_)
            one[there.reshape(one.shape)] = self._values[channel]
        return np.moveaxis(x, 0, -1).reshape(*self._shape[:-1], -1)


class Sample:
    """Some images, and what the network makes of them with any filters off, soon.

    The layer that reads a convolution's maps sums up what they bring. The sums are kept, and what
    they are of: so with some filters off there is only their own part to compute, and to subtract.
    """

    def __init__(self, network: Network, split: Split) -> None:
        """Run the network over the images (60 MB are kept of a thousand, with the tutorial's)."""
        self._network, self._split = network, split
        reads = {_reader(network, layer): layer for layer in convolutions(network)}
        reads = {at: layer for at, layer in reads.items() if _sums_up(network.layers[at])}
        count = len(split.images)
        inputs = {
            at: np.empty((count, *network.layers[at].input_shape), np.float32) for at in reads
        }
        self._sums = {
            at: np.empty((count, *network.layers[at].output_shape), np.float32) for at in reads
        }
        self._whole = np.empty((count, *network.layers[-1].output_shape), np.float32)
        for part in self._parts():
            x = to_input(split.images[part])
            for at, layer in enumerate(network.layers):
                z = layer.pre_activation(x)
                if at in reads:
                    inputs[at][part] = x
                    self._sums[at][part] = z
                x = layer.activate(z)
            self._whole[part] = z
        self._inputs = {
            at: _Packed(inputs.pop(at), layer.output_shape[-1]) for at, layer in reads.items()
        }

    def answers(self, off: Off, means: Mapping[str, Array] | None = None) -> Answers:
        """Count the right answers with filters off; arguments as in `switched_off`."""
        return Answers.of(self.logits(off, means), self._split.labels)

    def logits(self, off: Off, means: Mapping[str, Array] | None = None) -> Array:
        """The logits (n, classes) with filters off; arguments as in `switched_off`."""
        first = next((one for one in convolutions(self._network) if off.get(one.name)), None)
        if first is None:
            return self._whole
        at = _reader(self._network, first)
        if at not in self._sums:
            layers = switched_off(self._network, off, means).layers
            return np.concatenate(
                [logits(layers, to_input(self._split.images[part])) for part in self._parts()]
            )
        later = {name: filters for name, filters in off.items() if name != first.name}
        reader, *rest = switched_off(self._network, later, means).layers[at:]
        # What the first convolution's filters that are off have become at the reader.
        constant = np.zeros((1, *first.output_shape), np.float32) + _constants(first, means)
        for layer in self._network.layers[self._network.layers.index(first) + 1 : at]:
            constant = layer(constant)
        count = first.output_shape[-1]
        # A flattened map has its channels side by side, for one position after the other.
        filters = np.arange(constant.shape[-1]) % count
        changed = np.isin(filters, off[first.name])
        if len(off[first.name]) <= count // 2:
            sums = self._sums[at]
            says = self._inputs[at].channels(off[first.name])
            np.subtract(constant[..., changed], says, out=says)
        else:  # less work the other way round
            sums = np.broadcast_to(
                reader.pre_activation(np.where(changed, constant, 0)), self._sums[at].shape
            )
            changed = ~changed
            says = self._inputs[at].channels(sorted({*range(count)} - {*off[first.name]}))
        brings = _Brings(reader, np.flatnonzero(changed))
        # What never falls gives the same behind a maximum, where there are fewer values to do; so
        # does what makes a whole map constant.
        pool = next((one for one in rest if not isinstance(one, _Constants)), None)
        if not isinstance(pool, MaxPooling2D) or reader.activation == "softmax" or pool is rest[-1]:
            pool = None
        else:
            rest.remove(pool)
        found = np.empty_like(self._whole)
        for part in self._parts():
            if says.size:
                z = brings(says[part])
                z += sums[part]
            else:
                z = sums[part].copy()
            if pool:
                z = pool(z)
            found[part] = logits(rest, reader.activate(z, out=z)) if rest else z
        return found

    def _parts(self) -> Iterator[slice]:
        for start in range(0, len(self._split.labels), _BATCH_SIZE):
            yield slice(start, start + _BATCH_SIZE)


def count(network: Network, split: Split, progress: Progress) -> Answers:
    """Count the right answers over all images of a split, in bounded memory."""
    found = []
    for start in range(0, len(split.labels), _BATCH_SIZE):
        progress(start / len(split.labels), f"{start:,} of {len(split.labels):,} images")
        found.append(logits(network.layers, to_input(split.images[start : start + _BATCH_SIZE])))
    progress(1.0, "done")
    return Answers.of(np.concatenate(found), split.labels)


class EachFilterOff:
    """Compute the logits without each filter of one convolution, one filter off at a time.

    The next layer with weights W is linear before its activation: z = x @ W + bias. With one filter
    off, only the channels of x that come from it change, so z' = z + (constant - x)[off] @ W[off].
    For the tutorial's second convolution these are 1 of 64 channels. From the next dense layer on,
    many filters' results pass the layers together, because one large matrix product is faster than
    64 small ones.
    """

    def __init__(self, network: Network, layer: Layer) -> None:
        """Prepare to switch off the filters of `layer`, a convolution of the network."""
        after, at = network.layers.index(layer) + 1, _reader(network, layer)
        self._following = network.layers[after:]
        reader = network.layers[at]
        self._reader = reader if _sums_up(reader) else None
        if self._reader is None:
            return
        self._between = network.layers[after:at]
        rest = _after_sums(reader, network.layers[at + 1 :])
        self._alone = list(takewhile(lambda layer: not isinstance(layer, Dense), rest[:-1]))
        self._together = rest[len(self._alone) :]
        self._last_shape = (reader, *self._alone)[-1].output_shape
        self._filters = layer.output_shape[-1]
        # Of a convolution's kernel, or of a dense layer's that reads a flattened map, the last axis
        # but one is that of the channels.
        kernel = reader.weights["kernel"]
        by_channel = kernel.reshape(-1, self._filters, kernel.shape[-1]).swapaxes(0, 1)
        self._kernels = np.ascontiguousarray(by_channel)  # (filters, cells, units)
        off = np.zeros((1, *layer.output_shape), np.float32)
        for one in self._between:
            off = one(off)
        self._off = off  # (1, *reader.input_shape)

    def logits(self, output: Array) -> Array:
        """Return the logits without each filter, (filters, n, classes).

        Args:
            output: The convolution's output for some images, (n, *output_shape).
        """
        if self._reader is None:
            return np.stack([logits(self._following, without) for without in _each_zero(output)])
        x = output
        for layer in self._between:
            x = layer(x)  # after the last one (n, *reader.input_shape)
        z = self._reader.pre_activation(x)  # (n, *reader.output_shape)
        change = self._off - x
        return np.concatenate(
            [
                self._group(z, self._patches(change, part), self._kernels[part])
                for part in self._parts(len(x))
            ]
        )

    def _parts(self, n: int) -> list[slice]:
        """Return groups of filters that pass the layers together, for a batch of n images."""
        assert self._reader is not None
        cells = self._kernels.shape[1] * math.prod(self._reader.output_shape[:-1])
        values = n * max(cells, math.prod(self._last_shape))  # per filter
        filters = max(_MAX_VALUES_TOGETHER // values, 1)
        return [slice(start, start + filters) for start in range(0, self._filters, filters)]

    def _group(self, z: Array, patches: Array, kernels: Array) -> Array:
        """Return the logits without each of some filters, (filters, n, classes).

        Args:
            z: The reader's pre-activation with all filters on, (n, *reader.output_shape).
            patches: The change of its input by filter, (filters, n·positions, cells).
            kernels: Its kernel by filter, (filters, cells, units).
        """
        n, shape = len(z), self._last_shape
        outputs = np.empty((len(patches), n, *shape), np.float32)
        # One array for all filters: allocating a new one takes longer than adding to it.
        changed = np.empty_like(z)
        for output, patch, kernel in zip(outputs, patches, kernels, strict=True):
            np.matmul(patch, kernel, out=changed.reshape(len(patch), -1))
            changed += z
            x = changed
            for layer in self._alone:
                x = layer(x)
            output[...] = x
        if not self._together:
            return outputs
        rows = outputs.reshape(-1, *shape)  # (filters·n, *shape)
        return logits(self._together, rows).reshape(len(patches), n, -1)

    def _patches(self, change: Array, part: slice) -> Array:
        """Return the cells that the reader multiplies, for a group of filters.

        Args:
            change: Of the reader's input, with each filter off, (n, *reader.input_shape).
            part: Which filters.

        Returns:
            float32 (filters, n·positions, cells).
        """
        if isinstance(self._reader, Conv2D):
            windows = self._reader.windows(change[..., part])  # (n, rows, cols, filters, kh, kw)
            by_channel = windows.transpose(3, 0, 1, 2, 4, 5)
            cells = windows.shape[4] * windows.shape[5]
        else:
            cells = self._kernels.shape[1]
            by_channel = np.moveaxis(change.reshape(-1, cells, self._filters)[..., part], 2, 0)
        return np.ascontiguousarray(by_channel).reshape(len(by_channel), -1, cells)


def _after_sums(reader: Layer, following: Sequence[Layer]) -> list[Layer]:
    """Return the layers from a reader's activation to the end; none if the reader is the last."""
    if not following:
        return []
    assert reader.activation is not None, "convolutions and dense layers have one"
    first, *rest = following
    # A monotonic activation commutes with a maximum, and behind it there are fewer values.
    if isinstance(first, MaxPooling2D) and reader.activation != "softmax" and rest:
        return [first, Activation(reader.name, first.output_shape, reader.activation), *rest]
    return [Activation(reader.name, reader.output_shape, reader.activation), first, *rest]


def _each_zero(output: Array) -> Iterator[Array]:
    """Yield copies of feature maps (n, h, w, filters), in each of them one filter's map 0."""
    for channel in range(output.shape[-1]):
        without = output.copy()
        without[..., channel] = 0
        yield without


def _sums_up(layer: Layer) -> bool:
    """Return whether a layer is linear before its activation."""
    return isinstance(layer, Conv2D | Dense)


def _of_channels(layer: Layer, channels: slice | NDArray[np.intp]) -> Layer:
    """Return a linear layer restricted to some channels of its input, without its bias."""
    kernel, shape = layer.weights["kernel"], layer.input_shape[:-1]
    if isinstance(layer, Conv2D):
        some = np.ascontiguousarray(kernel[:, :, channels])
        shape = (*shape, some.shape[2])
        return Conv2D(layer.name, shape, layer.rows, layer.cols, {"kernel": some})
    some = np.ascontiguousarray(kernel[channels])
    return Dense(layer.name, (*shape, len(some)), {"kernel": some})


class _Brings:
    """The contribution of some input channels to a linear layer's sums, without its bias.

    Each batch in the same arrays: to ask the system for new ones takes longer than to add up.
    """

    def __init__(self, layer: Layer, channels: NDArray[np.intp]) -> None:
        """Make room for a batch."""
        self._layer = _of_channels(layer, channels)
        kernel, shape = self._layer.weights["kernel"], layer.output_shape
        if isinstance(layer, Conv2D):
            self._patches = np.empty((*kernel.shape[:3], _BATCH_SIZE, *shape[:2]), np.float32)
        self._sums = np.empty((_BATCH_SIZE, *shape), np.float32)

    def __call__(self, x: Array) -> Array:
        """The sums (n, *output_shape) for a batch of these channels, until the next call."""
        layer, kernel, sums = self._layer, self._layer.weights["kernel"], self._sums[: len(x)]
        if isinstance(layer, Conv2D):
            windows = layer.windows(x)
            # As in the layer itself, but a column a patch: x has its channels one after the other,
            # so whole rows of a map are copied.
            patches = self._patches[:, :, :, : len(x)]
            patches[...] = windows.transpose(4, 5, 3, 0, 1, 2)
            x = patches.reshape(kernel[..., 0].size, -1).T
        kernel = kernel.reshape(-1, kernel.shape[-1])
        np.matmul(x.reshape(-1, len(kernel)), kernel, out=sums.reshape(-1, kernel.shape[-1]))
        return sums


class Tally:
    """Right answers counted, for several variants of a network at once."""

    def __init__(self, variants: int) -> None:
        """Start with no image."""
        classes = len(CLASS_NAMES)
        self._counts = np.zeros(classes)
        # For each variant and pair of classes: images of the first for which its logit wins.
        self._wins = np.zeros((variants, classes, classes))
        self._right = np.zeros((variants, classes))

    def add(self, logits: Array, labels: NDArray[np.uint8]) -> None:
        """Count some images: their logits (variants, n, classes) and labels (n,)."""
        classes = np.arange(len(CLASS_NAMES))
        own = np.take_along_axis(logits, labels[np.newaxis, :, np.newaxis].astype(np.intp), axis=2)
        # Of equal logits the first class's wins, as in argmax.
        wins = (own > logits) | ((own == logits) & (labels[:, np.newaxis] < classes))
        of_class = (labels == classes[:, np.newaxis]).astype(np.float32)
        self._counts += of_class.sum(axis=1)
        self._wins += of_class @ wins.astype(np.float32)
        self._right += (wins.sum(axis=2) == len(CLASS_NAMES) - 1) @ of_class.T

    @property
    def accuracy(self) -> Shares:
        """Share of right answers, (variants,)."""
        shares: Shares = self._right.sum(axis=1) / self._counts.sum()
        return shares

    @property
    def class_accuracy(self) -> Shares:
        """Share of right answers among the images of each class, (variants, classes)."""
        return self._right / self._counts

    @property
    def pair_accuracy(self) -> Shares:
        """Share of right answers among the images of two classes when only their two logits
        compete, (variants, classes, classes); 1 for a class and itself."""
        counts = self._counts + self._counts[:, np.newaxis]
        shares: Shares = (self._wins + self._wins.swapaxes(1, 2)) / counts
        every = np.arange(len(CLASS_NAMES))
        shares[:, every, every] = 1
        return shares


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    # Not at the top: model_folder imports insights, which imports this module.
    from core.models.model_folder import ModelFolder

    parser = argparse.ArgumentParser(
        prog="python -m core.ablation",
        description="Count a model's right answers over the 10,000 test images, filters off.",
    )
    parser.add_argument("folder", type=Path, help="a model folder, such as assets/models/tuned")
    parser.add_argument("off", help='filters by layer, such as "conv_layer_1:3,17;conv_layer_3:5"')
    parser.add_argument(
        "--mean", action="store_true", help="set their maps to the mean over the test images, not 0"
    )
    parser.add_argument(
        "--json", action="store_true", help="print progress and answers for programs, line by line"
    )
    options = parser.parse_args(arguments)
    folder = ModelFolder(options.folder.resolve())
    try:
        files, split = folder.read(), load_split("test")
        network = files.network()
        off, wrong = parse(options.off, network)
        means = None
        if options.mean:
            insights = files.insights()
            if insights is None:
                raise ModelError(f"The means are not known yet: {folder.insights_command}")
            means = insights.means(split.labels)
        if wrong:
            raise ModelError(f"{folder.name} has no filter {wrong[0]}.")
        count_off = partial(count, switched_off(network, off, means), split)
        with threadpool_limits(limits=1, user_api="blas"):
            if options.json:
                answers = count_off(_print_progress)
            else:
                with ProgressBar() as bar:
                    answers = count_off(bar)
    except KeyboardInterrupt as interrupt:
        return status_of(interrupt)
    except (DatasetError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"result": asdict(answers)}))
        return 0
    for name, accuracy in zip(CLASS_NAMES, answers.class_accuracy, strict=True):
        print(f"{name:<12} {accuracy:7.2%}")
    print(f"{'all':<12} {answers.accuracy:7.2%}")
    return 0


def _print_progress(share: float, _words: str) -> None:
    # A line a percent is enough for a bar.
    print(json.dumps({"progress": round(share, 2)}), flush=True)


def command() -> int:
    """Run the command line with a low priority: the server, or who sits here, comes first."""
    os.nice(10)
    return main()
