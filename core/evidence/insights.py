"""Measure a model's filters over a whole split, once: `python -m core.insights FOLDER`.

A page that shows one image computes what it shows. What takes all 10,000 test images is computed
here, ahead of time, and kept as `insights.npz` in the model's folder.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.command_line.interrupts import status_of
from core.command_line.progress import Progress, ProgressBar
from core.dataset import CLASS_NAMES, DatasetError, Split, load_split, to_input
from core.evidence import statistics
from core.evidence.ablation import EachFilterOff, Tally, convolutions
from core.network import Array, Layer, ModelError, Network, Shape
from core.paths import shown

CLASSES = len(CLASS_NAMES)
# Images at a time: with fewer, the many small steps for each filter take longer than their sums.
_BATCH_SIZE = 32
# Each takes about 50 MB for the tutorial's network.
_THREADS = min(os.cpu_count() or 1, 4)
# How long the stages take on two cores, in forward passes of the split in the pool: the progress
# bar's scale. benchmarks/insights.py prints the figures.
_PASS_COST, _SEPARATION_COST, _EMBEDDING_COST = 8.0, 0.6, 30.0
TOP = 9
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DUPLICATE = 0.95

Float = NDArray[np.float32]
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class FilterInsights:
    """Responses and effects of the F filters of one convolution over the n images of a split.

    A filter's response to an image is its activation map there, its peak the map's largest value.
    A filter is off when its map is 0 everywhere.

    Attributes:
        top_images: int32 (F, 9), the images with the highest peaks, by falling peak; of equal ones
            the first. Fewer where there are not nine images.
        top_values: float32 (F, 9), those peaks.
        top_positions: int16 (F, 9, 2), row and column of each; of equal ones the first in
            row-major order.
        response_quantiles: float32 (F, 10, 5), of the mean responses to the images of each class,
            the values below which the shares `QUANTILES` of them lie.
        class_maps: float16 (10, h, w, F), the mean map of the images of each class.
        correlations: float32 (F, F), Pearson's correlation of two filters' activations over all
            positions of all images; 0 with a filter that never changes.
        auc: float32 (F, 10, 10), at [f, a, b] the share of pairs, an image of class a and one of
            class b, in which that of class a has the larger mean response; equal ones count half.
        auc_error: float32 (F, 10, 10), its standard error (DeLong).
        ablation_accuracy: float32 (F,), the network's accuracy with this filter alone off.
        ablation_class_accuracy: float32 (F, 10), the same among the images of each class.
        ablation_pair_accuracy: float32 (F, 10, 10), the same among the images of two classes when
            only their two logits compete; 1 for a class and itself.
    """

    top_images: NDArray[np.int32]
    top_values: Float
    top_positions: NDArray[np.int16]
    response_quantiles: Float
    class_maps: NDArray[np.float16]
    correlations: Float
    auc: Float
    auc_error: Float
    ablation_accuracy: Float
    ablation_class_accuracy: Float
    ablation_pair_accuracy: Float

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Filters with a peak of 0 for every image, bool (F,)."""
        dead: NDArray[np.bool_] = self.top_values[:, 0] == 0
        return dead

    @property
    def duplicate_pairs(self) -> list[tuple[int, int]]:
        """Filters whose activations all but repeat each other's, the lower number first: their
        correlation is above `DUPLICATE`."""
        pairs = np.argwhere(np.triu(self.correlations > DUPLICATE, k=1))
        return [(first, second) for first, second in pairs.tolist()]


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies between `low` and `high`: `count` of them, their mean
    confidence, and on how many the network is right."""

    low: float
    high: float
    count: int
    confidence: float
    right: int

    @property
    def accuracy(self) -> float:
        """The share of right predictions, 0 to 1."""
        return self.right / self.count


def calibration_error(bins: Sequence[Bin]) -> float:
    """The mean distance of accuracy from confidence, over all images ("expected calibration error",
    Guo et al., 2017)."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.accuracy - each.confidence) for each in bins) / total


def doubted_labels(
    models: Sequence[Insights], labels: NDArray[np.uint8], confidence: float
) -> NDArray[np.intp]:
    """The images for which all models predict the same class, each with at least that confidence,
    and it is not the label's; those first of which the least confident model is the surest."""
    first, *others = (model.predictions for model in models)
    sure = np.min([model.confidences for model in models], axis=0)
    doubted = (first != labels) & (sure >= confidence)
    for predictions in others:
        doubted &= predictions == first
    images = np.flatnonzero(doubted)
    return images[np.argsort(-sure[images], kind="stable")]


@dataclass(frozen=True, eq=False)
class Insights:
    """Measurements of a network over the n images of a split; the arrays are read-only.

    Attributes:
        class_means: spatial layer's name to float32 (10, filters), the mean response of each filter
            to the images of each class, where a response's mean is that of an activation map.
        filters: convolution's name to what its filters do.
        probabilities: float32 (n, 10), the network's output for each image.
        pair_accuracy: float32 (10, 10), the accuracy among the images of two classes when only
            their two logits compete; 1 for a class and itself.
        components: float32 (n, 2), each image's place by the first two principal components of the
            last hidden layer's output.
        embedding: float32 (n, 2), its place in a neighbour embedding (t-SNE) of the same.
        epoch_accuracy: float32 (epochs,), the accuracy at each of the model's checkpoints, in the
            order of `ModelFiles.checkpoints`.
    """

    class_means: Mapping[str, Float]
    filters: Mapping[str, FilterInsights]
    probabilities: Float
    pair_accuracy: Float
    components: Float
    embedding: Float
    epoch_accuracy: Float

    @cached_property
    def predictions(self) -> NDArray[np.intp]:
        """The most probable class of each image, integers (n,); the lowest on ties."""
        return _read_only(self.probabilities.argmax(axis=1))

    def accuracy(self, labels: NDArray[np.uint8]) -> float:
        """Return the share of right predictions, 0 to 1, given the split's labels (n,)."""
        return float((self.predictions == labels).mean())

    def loss(self, labels: NDArray[np.uint8]) -> float:
        """Return `statistics.cross_entropy`, given the split's labels (n,)."""
        return statistics.cross_entropy(self.probabilities, labels)

    def class_accuracy(self, labels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the share of right predictions among the images of each class, float64 (10,)."""
        right = np.bincount(labels[self.predictions == labels], minlength=CLASSES)
        return right / np.bincount(labels, minlength=CLASSES)

    def means(self, labels: NDArray[np.uint8]) -> dict[str, Float]:
        """Return each filter's mean activation over the whole split, (filters,) for each spatial
        layer, given the split's labels (n,)."""
        shares = np.bincount(labels, minlength=CLASSES) / len(labels)
        return {
            layer: (shares @ means).astype(np.float32) for layer, means in self.class_means.items()
        }

    @cached_property
    def confidences(self) -> Float:
        """The probability of each image's prediction, float32 (n,)."""
        return _read_only(self.probabilities.max(axis=1))

    def confusion(self, labels: NDArray[np.uint8]) -> NDArray[np.intp]:
        """Return how many images of each class are taken for each, integers (10, 10), with the true
        class first, given the split's labels (n,)."""
        cells = np.bincount(CLASSES * labels.astype(np.intp) + self.predictions, minlength=100)
        return cells.reshape(CLASSES, CLASSES)

    def taken_for(self, labels: NDArray[np.uint8], true: int, predicted: int) -> NDArray[np.intp]:
        """Return which images of class `true` are taken for `predicted`, the most confident
        prediction first."""
        images = np.flatnonzero((labels == true) & (self.predictions == predicted))
        return images[np.argsort(-self.confidences[images], kind="stable")]

    def calibration(self, labels: NDArray[np.uint8], bins: int = 10) -> list[Bin]:
        """Return how often the network is right where it is how confident, in equally wide bins of
        the confidence; without the empty ones (Guo et al., 2017)."""
        right = self.predictions == labels
        confidences = self.confidences.astype(np.float64)
        of_bin = np.minimum((confidences * bins).astype(np.intp), bins - 1)
        return [
            Bin(
                index / bins,
                (index + 1) / bins,
                int(inside.sum()),
                float(confidences[inside].mean()),
                int(right[inside].sum()),
            )
            for index in range(bins)
            if (inside := of_bin == index).any()
        ]

    def selectivity(self, layer: str) -> NDArray[np.float64]:
        """Return how much each filter prefers one class, float64 (filters,).

        The best class's mean response minus the mean of the other nine, over their sum (after
        Morcos et al., 2018): 0 where all classes are alike, 1 where only one gets an answer.
        """
        means = np.sort(self.class_means[layer].astype(np.float64), axis=0)
        best, others = means[-1], means[:-1].mean(axis=0)
        total = best + others
        selectivity: NDArray[np.float64] = np.divide(
            best - others, total, out=np.zeros_like(total), where=total != 0
        )
        return selectivity

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by the names that they have in `insights.npz`."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _WHOLE}
        arrays |= {f"class_means/{layer}": means for layer, means in self.class_means.items()}
        for layer, filters in self.filters.items():
            arrays |= {f"{field.name}/{layer}": getattr(filters, field.name) for field in _FIELDS}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], network: Network) -> Insights:
        """Take the arrays of `to_arrays`, after a check that they fit the network.

        Raises:
            ValueError: An array is missing, or its type, shape or values cannot be right.
        """
        counts = [
            len(arrays[name]) if np.ndim(arrays.get(name, 0)) else 0
            for name in ("probabilities", "epoch_accuracy")
        ]
        checked = {
            name: _checked(arrays, name, dtype, shape)
            for name, (dtype, shape) in _contents(network, *counts).items()
        }
        class_means = {
            layer.name: checked.pop(f"class_means/{layer.name}") for layer in network.spatial_layers
        }
        filters = {
            layer.name: FilterInsights(
                **{field.name: checked.pop(f"{field.name}/{layer.name}") for field in _FIELDS}
            )
            for layer in convolutions(network)
        }
        return cls(class_means, filters, **checked)


_FIELDS = fields(FilterInsights)
_WHOLE = ("probabilities", "pair_accuracy", "components", "embedding", "epoch_accuracy")


def _contents(network: Network, count: int, epochs: int) -> dict[str, tuple[type, Shape]]:
    """Return type and shape of each array of `insights.npz` for a split of `count` images."""
    contents: dict[str, tuple[type, Shape]] = {
        "probabilities": (np.float32, (count, CLASSES)),
        "pair_accuracy": (np.float32, (CLASSES, CLASSES)),
        "components": (np.float32, (count, 2)),
        "embedding": (np.float32, (count, 2)),
        "epoch_accuracy": (np.float32, (epochs,)),
    }
    for layer in network.spatial_layers:
        contents[f"class_means/{layer.name}"] = (np.float32, (CLASSES, layer.output_shape[-1]))
    for layer in convolutions(network):
        *place, filters = layer.output_shape
        top = min(TOP, count)
        contents |= {
            f"{name}/{layer.name}": content
            for name, content in {
                "top_images": (np.int32, (filters, top)),
                "top_values": (np.float32, (filters, top)),
                "top_positions": (np.int16, (filters, top, 2)),
                "response_quantiles": (np.float32, (filters, CLASSES, len(QUANTILES))),
                "class_maps": (np.float16, (CLASSES, *place, filters)),
                "correlations": (np.float32, (filters, filters)),
                "auc": (np.float32, (filters, CLASSES, CLASSES)),
                "auc_error": (np.float32, (filters, CLASSES, CLASSES)),
                "ablation_accuracy": (np.float32, (filters,)),
                "ablation_class_accuracy": (np.float32, (filters, CLASSES)),
                "ablation_pair_accuracy": (np.float32, (filters, CLASSES, CLASSES)),
            }.items()
        }
    return contents


def _checked(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type, shape: Shape
) -> NDArray[Any]:
    """Return a finite array of that type and shape, read-only, or ValueError."""
    if name not in arrays:
        raise ValueError(f"{name} is missing")
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name} is not an array of {shape} finite numbers")
    return _read_only(array)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


class InsightsError(Exception):
    """Insights cannot be computed; the message is one sentence for the person who asked."""


def require_embedding_package() -> None:
    """Import openTSNE, which computes the neighbour embedding and nothing else needs.

    Call it before long work that ends with `compute`.

    Raises:
        InsightsError: openTSNE, or a package that it needs, cannot be imported.
    """
    try:
        import openTSNE  # noqa: F401
    except ImportError as error:
        raise InsightsError(
            f"Insights need the package openTSNE ({error}): install it with "
            "`pip install -r requirements.txt`."
        ) from error


def compute(
    network: Network,
    split: Split,
    progress: Progress | None = None,
    epochs: Sequence[Network] = (),
) -> Insights:
    """Run the network over a split, some images at a time, in a few threads.

    Args:
        network: One that takes 28×28 images and tells `CLASS_NAMES` apart.
        split: Images in which each class occurs twice or more.
        progress: Called now and then, in the caller's thread.
        epochs: The network as it was at each of its checkpoints.

    Raises:
        InsightsError: openTSNE is not installed.
        ValueError: A class has no two images, or the network's output is not one number a class.
    """
    _check(network, split)
    require_embedding_package()
    stages = _Stages(progress, len(epochs))
    # Matrices of a few images are too small for two BLAS threads: they cost more than they bring.
    # Instead each thread of the pool takes other images. After Ctrl-C the pool ends with the
    # batches that it was given, a fraction of a second later.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(_THREADS) as pool:
        collected = _run_split(pool, network, split, stages)
        epoch_accuracy = _epoch_accuracy(pool, epochs, split, stages)
    filters = {}
    for position, (name, study) in enumerate(collected.studies.items()):
        stages("separation", position / len(collected.studies), f"classes that {name} tells apart")
        filters[name] = study.result(collected.responses[name])
    stages("embedding", 0, "a map of the images")
    embedding = _embedding(
        collected.features, lambda share: stages("embedding", share, "a map of the images")
    )
    stages("embedding", 1, "done")
    return Insights(
        class_means=collected.class_means(),
        filters=filters,
        probabilities=_stored(collected.probabilities),
        pair_accuracy=_stored(collected.tally.pair_accuracy[0]),
        components=_stored(statistics.principal_components(collected.features)),
        embedding=_stored(embedding),
        epoch_accuracy=_stored(epoch_accuracy),
    )


def _check(network: Network, split: Split) -> None:
    """Raise ValueError unless insights can be made of the network and the split."""
    counts = np.bincount(split.labels, minlength=CLASSES)
    if counts.min() < 2:
        raise ValueError(f"there are no two images of {CLASS_NAMES[int(counts.argmin())]}")
    shape = network.layers[-1].output_shape
    if shape != (CLASSES,):
        raise ValueError(f"the network's output is {shape}, not {CLASSES} classes")


class _Stages:
    """Report each stage's progress as a share of the whole work."""

    def __init__(self, progress: Progress | None, epochs: int) -> None:
        """Plan the stages of a network with so many checkpoints."""
        self._progress = progress
        costs = {
            "pass": _PASS_COST,
            "epochs": float(epochs),
            "separation": _SEPARATION_COST,
            "embedding": _EMBEDDING_COST,
        }
        total = sum(costs.values())
        self._widths = {stage: cost / total for stage, cost in costs.items()}
        ends = itertools.accumulate(self._widths.values(), initial=0.0)
        self._starts = dict(zip(self._widths, ends, strict=False))

    def __call__(self, stage: str, share: float, words: str) -> None:
        """Report that a share, 0 to 1, of the stage is done."""
        if self._progress:
            whole = self._starts[stage] + share * self._widths[stage]
            self._progress(min(whole, 1.0), f"insights: {words}")


def _parts(split: Split) -> list[slice]:
    """Return which images make up each batch."""
    count = len(split.labels)
    starts = range(0, count, _BATCH_SIZE)
    return [slice(start, min(start + _BATCH_SIZE, count)) for start in starts]


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[slice], Result], parts: Iterable[slice]
) -> Iterator[tuple[slice, Result]]:
    """Yield each part with its result, computed in the pool, in the order of the parts.

    The pool is at most two batches per thread ahead, which bounds the memory of the results, and
    the time to wait for the pool after Ctrl-C.
    """
    ahead: deque[tuple[slice, Future[Result]]] = deque()
    for part in parts:
        ahead.append((part, pool.submit(work, part)))
        if len(ahead) > 2 * _THREADS:
            first, result = ahead.popleft()
            yield first, result.result()
    for first, result in ahead:
        yield first, result.result()


def _run_split(
    pool: ThreadPoolExecutor, network: Network, split: Split, stages: _Stages
) -> _SplitRun:
    """Run the network over all images of the split."""
    run = _SplitRun(network, split)
    count = len(split.labels)
    stages("pass", 0, f"0 of {count:,} images")
    for part, batch in _in_order(pool, run.measure, _parts(split)):
        run.add(part, batch)
        stages("pass", part.stop / count, f"{part.stop:,} of {count:,} images")
    return run


def _epoch_accuracy(
    pool: ThreadPoolExecutor, epochs: Sequence[Network], split: Split, stages: _Stages
) -> NDArray[np.float64]:
    """Return the accuracy at each checkpoint, (epochs,)."""
    right, count = np.zeros(len(epochs)), len(split.labels)
    for position, network in enumerate(epochs):
        stages("epochs", position / len(epochs), "accuracy of the checkpoints")
        count_right = partial(_count_right, network, split)
        for part, hits in _in_order(pool, count_right, _parts(split)):
            right[position] += hits
            share = (position + part.stop / count) / len(epochs)
            stages("epochs", share, "accuracy of the checkpoints")
    return right / count


def _count_right(network: Network, split: Split, part: slice) -> int:
    """Return how many images of a part the network predicts right."""
    predictions = network.predict(to_input(split.images[part])).argmax(axis=1)
    return int(np.count_nonzero(predictions == split.labels[part]))


@dataclass(frozen=True)
class _FilterBatch:
    """Measurements of one convolution's filters over a batch of n images.

    Attributes:
        peaks: float32 (n, filters), the largest value of each map.
        cells: integers (n, filters), its place in row-major order, the first of equal ones.
        sums: label to float32 (h, w, filters), the sum of the maps of that class.
        products: float32 (filters, filters), summed products of two filters' activations.
        logits: float32 (filters, n, classes), the logits without each filter.
    """

    peaks: Float
    cells: NDArray[np.intp]
    sums: Mapping[int, Float]
    products: Float
    logits: Float


@dataclass(frozen=True)
class _Batch:
    """Measurements of the network over a batch of n images.

    Attributes:
        features: float32 (n, inputs), the input of the last layer with weights.
        logits, probabilities: float32 (n, 10).
        responses: spatial layer's name to float64 (n, filters), the maps' means.
        filters: convolution's name to what its filters do.
    """

    features: Float
    logits: Float
    probabilities: Float
    responses: Mapping[str, NDArray[np.float64]]
    filters: Mapping[str, _FilterBatch]


class _SplitRun:
    """A run of the network over a split: `measure` computes, in any thread; `add` collects.

    Attributes:
        features, probabilities, responses: As in `_Batch`, for all n images.
        studies: convolution's name to what is collected of its filters.
        tally: The network's right answers.
    """

    def __init__(self, network: Network, split: Split) -> None:
        """Start with no image."""
        self._network, self._split = network, split
        count = len(split.labels)
        self._weighted = [layer for layer in network.layers if layer.weights][-1]
        self.features = np.empty((count, math.prod(self._weighted.input_shape)), np.float32)
        self.probabilities = np.empty((count, CLASSES), np.float32)
        self.responses = {
            layer.name: np.empty((count, layer.output_shape[-1]))
            for layer in network.spatial_layers
        }
        self.studies = {
            layer.name: _FilterStudy(network, layer, split.labels)
            for layer in convolutions(network)
        }
        self.tally = Tally(1)

    def class_means(self) -> dict[str, Float]:
        """Return what `Insights.class_means` stores."""
        return {
            name: _stored(_class_means(means, self._split.labels))
            for name, means in self.responses.items()
        }

    def measure(self, part: slice) -> _Batch:
        """Run the network over a part of the images; change nothing."""
        labels = self._split.labels[part]
        responses, filters = {}, {}
        x = to_input(self._split.images[part])  # (n, 28, 28, 1)
        for layer in self._network.layers:
            if layer is self._weighted:
                features = x.reshape(len(x), -1)
            z = layer.pre_activation(x)
            # Overwriting z is faster, but the last one is returned.
            reuse = z is not x and layer is not self._network.layers[-1]
            x = layer.activate(z, out=z if reuse else None)  # (n, *layer.output_shape)
            if layer.name in self.responses:
                responses[layer.name] = x.mean(axis=(1, 2), dtype=np.float64)
            if layer.name in self.studies:
                filters[layer.name] = self.studies[layer.name].measure(x, labels)
        return _Batch(features, z, x, responses, filters)

    def add(self, part: slice, batch: _Batch) -> None:
        """Collect what `measure` returned for a part of the images."""
        labels = self._split.labels[part]
        self.features[part] = batch.features
        self.probabilities[part] = batch.probabilities
        self.tally.add(batch.logits[np.newaxis], labels)
        for name, responses in batch.responses.items():
            self.responses[name][part] = responses
        for name, filters in batch.filters.items():
            self.studies[name].add(part, filters)


class _FilterStudy:
    """Measure one convolution's filters: `measure` computes, in any thread; `add` collects."""

    def __init__(self, network: Network, layer: Layer, labels: NDArray[np.uint8]) -> None:
        """Start with no image; `labels` (n,) are those of all images to come."""
        height, width, filters = layer.output_shape
        self._name = layer.name
        self._labels = labels
        self._width = width
        self._each_off = EachFilterOff(network, layer)
        self._tally = Tally(filters)
        self._peaks = np.empty((len(labels), filters), np.float32)
        self._cells = np.empty((len(labels), filters), np.intp)
        self._maps = np.zeros((CLASSES, height, width, filters))
        self._products = np.zeros((filters, filters))

    def measure(self, output: Array, labels: NDArray[np.uint8]) -> _FilterBatch:
        """Look at the layer's output (n, h, w, filters) for some images; change nothing."""
        cells = output.reshape(len(output), -1, output.shape[-1])  # (n, h·w, filters)
        flat = output.reshape(-1, output.shape[-1])  # (n·h·w, filters)
        return _FilterBatch(
            peaks=cells.max(axis=1),
            cells=cells.argmax(axis=1),
            sums={int(one): output[labels == one].sum(axis=0) for one in np.unique(labels)},
            products=flat.T @ flat,
            logits=self._each_off.logits(output),
        )

    def add(self, part: slice, batch: _FilterBatch) -> None:
        """Collect what `measure` returned for a part of the images."""
        self._peaks[part] = batch.peaks
        self._cells[part] = batch.cells
        for label, maps in batch.sums.items():
            self._maps[label] += maps
        self._products += batch.products
        self._tally.add(batch.logits, self._labels[part])

    def result(self, responses: NDArray[np.float64]) -> FilterInsights:
        """Return the insights after all images, given the mean responses (n, filters) to them."""
        top = (-self._peaks).argsort(axis=0, kind="stable")[:TOP].T
        of_filter = np.arange(len(top))[:, np.newaxis]
        counts = np.bincount(self._labels, minlength=CLASSES)[:, np.newaxis, np.newaxis, np.newaxis]
        class_maps = self._maps / counts
        if np.abs(class_maps).max(initial=0) > np.finfo(np.float16).max:
            raise ModelError(
                f"The layer {self._name} has mean activations above 65,504, which are too large to "
                "be stored: choose another model."
            )
        auc, auc_error = _separations(responses, self._labels)
        return FilterInsights(
            top_images=_stored(top, np.int32),
            top_values=_stored(self._peaks[top, of_filter]),
            top_positions=_stored(
                np.stack(np.divmod(self._cells[top, of_filter], self._width), axis=-1), np.int16
            ),
            response_quantiles=_stored(_class_quantiles(responses, self._labels)),
            class_maps=_stored(class_maps, np.float16),
            correlations=_stored(self._correlations()),
            auc=_stored(auc),
            auc_error=_stored(auc_error),
            ablation_accuracy=_stored(self._tally.accuracy),
            ablation_class_accuracy=_stored(self._tally.class_accuracy),
            ablation_pair_accuracy=_stored(self._tally.pair_accuracy),
        )

    def _correlations(self) -> NDArray[np.float64]:
        cells = len(self._labels) * self._maps[0, :, :, 0].size
        means = self._maps.sum(axis=(0, 1, 2)) / cells
        covariances = self._products / cells - np.outer(means, means)
        deviations = np.sqrt(covariances.diagonal().clip(0))
        scale = np.outer(deviations, deviations)
        return np.divide(covariances, scale, out=np.zeros_like(scale), where=scale > _TINY).clip(
            -1, 1
        )


def _class_means(responses: NDArray[np.float64], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean of the responses (n, filters) to the images of each class, (10, filters)."""
    return np.stack([responses[labels == label].mean(axis=0) for label in range(CLASSES)])


def _class_quantiles(
    responses: NDArray[np.float64], labels: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """`QUANTILES` of the responses (n, filters) to the images of each class, (filters, 10, 5)."""
    quantiles = [
        np.quantile(responses[labels == label], QUANTILES, axis=0) for label in range(CLASSES)
    ]
    return np.stack(quantiles).transpose(2, 0, 1)


def _separations(
    responses: NDArray[np.float64], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUC and its standard error for each filter and pair of classes, each (filters, 10, 10)."""
    areas = np.full((responses.shape[1], CLASSES, CLASSES), 0.5)
    errors = np.zeros_like(areas)
    of_class = [np.sort(responses[labels == label], axis=0) for label in range(CLASSES)]
    for first, second in itertools.combinations(range(CLASSES), 2):
        for index in range(responses.shape[1]):
            area, error = statistics.auc(of_class[first][:, index], of_class[second][:, index])
            areas[index, first, second], areas[index, second, first] = area, 1 - area
            errors[index, first, second] = errors[index, second, first] = error
    return areas, errors


def _embedding(
    features: NDArray[np.float32], progress: Callable[[float], None]
) -> NDArray[np.float64]:
    """Places (n, 2) such that near ones have similar features (t-SNE; van der Maaten, 2008)."""
    # A library that only this needs: not for the process that serves.
    from openTSNE import TSNE

    rounds = {"early_exaggeration_iter": 250, "n_iter": 500}
    done = itertools.count(1)

    def callback(_round: int, _error: float, _places: NDArray[np.float64]) -> None:
        share = min(next(done) * _ROUNDS_A_CALL / sum(rounds.values()), 1.0)
        # The search for neighbours takes a tenth of the time. After that a round takes the longer
        # the larger the map has become, because openTSNE's grid has a fixed cell size.
        progress(0.1 + 0.9 * share**2)

    tsne = TSNE(
        perplexity=min(30, (len(features) - 1) / 3),
        random_state=0,
        n_jobs=os.cpu_count() or 1,
        callbacks=callback,
        callbacks_every_iters=_ROUNDS_A_CALL,
        **rounds,
    )
    return np.asarray(tsne.fit(features), np.float64)


_ROUNDS_A_CALL = 25
# A filter whose activations vary less than that has the same one everywhere.
_TINY = 1e-12


def _stored(array: NDArray[Any], dtype: type = np.float32) -> NDArray[Any]:
    return _read_only(array.astype(dtype))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    # Not at the top: model_folder imports this module.
    from core.models.model_files import INSIGHTS_FILE
    from core.models.model_folder import ModelFolder

    parser = argparse.ArgumentParser(
        prog="python -m core.insights",
        description="Compute what a model's filters do over the 10,000 test images.",
    )
    parser.add_argument("folder", type=Path, help="a model folder, such as assets/models/tutorial")
    folder = ModelFolder(parser.parse_args(arguments).folder.resolve())
    before = folder.stamps()
    try:
        split = load_split("test")
        with ProgressBar() as progress:
            folder.measure(split, progress)
    except KeyboardInterrupt as interrupt:
        was_written = folder.stamps() != before
        result = "the insights are complete." if was_written else "nothing was written."
        print(f"Interrupted: {result}", file=sys.stderr)
        return status_of(interrupt)
    except (DatasetError, InsightsError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"{shown(folder.path)}: {error}.", file=sys.stderr)
        return 1
    except OSError as error:
        reason = error.strerror or error
        print(f"{shown(folder.path)} cannot be written to: {reason}.", file=sys.stderr)
        return 1
    print(shown(folder.path / INSIGHTS_FILE))
    return 0
