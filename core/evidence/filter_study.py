"""Measurements of one convolution's filters, collected batch by batch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evidence import statistics
from core.evidence.answers import Tally
from core.evidence.each_filter_off import EachFilterOff
from core.evidence.insights import (
    CLASSES,
    MAX_TOP_IMAGES,
    QUANTILES,
    FilterInsights,
    Float,
    stored,
)
from core.network import Array, Layer, ModelError, Network

# A filter whose activations vary less than that has the same one everywhere.
_MIN_VARIANCE = 1e-12


@dataclass(frozen=True)
class FilterBatch:
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


class FilterStudy:
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

    def measure(self, output: Array, labels: NDArray[np.uint8]) -> FilterBatch:
        """Measure the layer's output (n, h, w, filters) for some images; change nothing."""
        cells = output.reshape(len(output), -1, output.shape[-1])  # (n, h·w, filters)
        flat = output.reshape(-1, output.shape[-1])  # (n·h·w, filters)
        return FilterBatch(
            peaks=cells.max(axis=1),
            cells=cells.argmax(axis=1),
            sums={int(label): output[labels == label].sum(axis=0) for label in np.unique(labels)},
            products=flat.T @ flat,
            logits=self._each_off.logits(output),
        )

    def add(self, part: slice, batch: FilterBatch) -> None:
        """Add the result of `measure` for a part of the images."""
        self._peaks[part] = batch.peaks
        self._cells[part] = batch.cells
        for label, maps in batch.sums.items():
            self._maps[label] += maps
        self._products += batch.products
        self._tally.add(batch.logits, self._labels[part])

    def result(self, responses: NDArray[np.float64]) -> FilterInsights:
        """Return the insights after all images, given the mean responses (n, filters) to them."""
        top = (-self._peaks).argsort(axis=0, kind="stable")[:MAX_TOP_IMAGES].T
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
            top_images=stored(top, np.int32),
            top_values=stored(self._peaks[top, of_filter]),
            top_positions=stored(
                np.stack(np.divmod(self._cells[top, of_filter], self._width), axis=-1), np.int16
            ),
            response_quantiles=stored(_class_quantiles(responses, self._labels)),
            class_maps=stored(class_maps, np.float16),
            correlations=stored(self._correlations()),
            auc=stored(auc),
            auc_error=stored(auc_error),
            ablation_accuracy=stored(self._tally.accuracy),
            ablation_class_accuracy=stored(self._tally.class_accuracy),
            ablation_pair_accuracy=stored(self._tally.pair_accuracy),
        )

    def _correlations(self) -> NDArray[np.float64]:
        """Return Pearson's correlation of each two filters, (filters, filters)."""
        cells = len(self._labels) * self._maps[0, :, :, 0].size
        means = self._maps.sum(axis=(0, 1, 2)) / cells
        covariances = self._products / cells - np.outer(means, means)
        deviations = np.sqrt(covariances.diagonal().clip(0))
        scale = np.outer(deviations, deviations)
        return np.divide(
            covariances, scale, out=np.zeros_like(scale), where=scale > _MIN_VARIANCE
        ).clip(-1, 1)


def _class_quantiles(
    responses: NDArray[np.float64], labels: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return `QUANTILES` of responses (n, filters) to each class's images, (filters, 10, 5)."""
    quantiles = [
        np.quantile(responses[labels == label], QUANTILES, axis=0) for label in range(CLASSES)
    ]
    return np.stack(quantiles).transpose(2, 0, 1)


def _separations(
    responses: NDArray[np.float64], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AUC and standard error for each filter and two classes, each (filters, 10, 10)."""
    areas = np.full((responses.shape[1], CLASSES, CLASSES), 0.5)
    errors = np.zeros_like(areas)
    of_class = [np.sort(responses[labels == label], axis=0) for label in range(CLASSES)]
    for first, second in itertools.combinations(range(CLASSES), 2):
        for index in range(responses.shape[1]):
            area, error = statistics.auc(of_class[first][:, index], of_class[second][:, index])
            areas[index, first, second], areas[index, second, first] = area, 1 - area
            errors[index, first, second] = errors[index, second, first] = error
    return areas, errors
