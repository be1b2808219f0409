"""Measurements of a network's filters over a whole split, and the figures that follow from them.

A page that shows one image computes what it shows. What takes all 10,000 test images is computed
ahead of time (`core.evidence.measure`) and stored as `insights.npz` in the model's folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset import CLASS_NAMES
from core.evidence import statistics
from core.evidence.ablation import convolutions
from core.network import Network, Shape

CLASSES = len(CLASS_NAMES)
MAX_TOP_IMAGES = 9
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MIN_DUPLICATE_CORRELATION = 0.95

Float = NDArray[np.float32]


class InsightsError(Exception):
    """Insights cannot be computed; the message is one sentence for the person who asked."""


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
        correlation is above `MIN_DUPLICATE_CORRELATION`."""
        pairs = np.argwhere(np.triu(self.correlations > MIN_DUPLICATE_CORRELATION, k=1))
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
        return read_only(self.probabilities.argmax(axis=1))

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
        return read_only(self.probabilities.max(axis=1))

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
        top = min(MAX_TOP_IMAGES, count)
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
    return read_only(array)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Make an array read-only, and return it."""
    array.flags.writeable = False
    return array


def stored(array: NDArray[Any], dtype: type = np.float32) -> NDArray[Any]:
    """Return a read-only copy of an array in the type in which it is stored."""
    return read_only(array.astype(dtype))
