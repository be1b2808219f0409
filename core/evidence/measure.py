"""Measure a network over a whole split: one pass over the images, in a few threads.

`compute` returns the `Insights`. `python -m benchmarks.insights` prints how long each stage takes.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.command_line.progress import Progress
from core.dataset import CLASS_NAMES, Split, to_input
from core.evidence import statistics
from core.evidence.ablation import convolutions
from core.evidence.answers import Tally
from core.evidence.embedding import embed_neighbours, require_embedding_package
from core.evidence.filter_study import FilterBatch, FilterStudy
from core.evidence.insights import CLASSES, Float, Insights, stored
from core.network import Network

# Images per batch: with fewer, the many small steps for each filter take longer than their sums.
_BATCH_SIZE = 32
# Each takes about 50 MB for the tutorial's network.
_THREADS = min(os.cpu_count() or 1, 4)
# Duration of the stages on two cores, in forward passes of the split in the pool: the progress
# bar's scale. benchmarks/insights.py prints the figures.
_PASS_COST, _SEPARATION_COST, _EMBEDDING_COST = 8.0, 0.6, 30.0

Result = TypeVar("Result")


def compute(
    network: Network,
    split: Split,
    progress: Progress | None = None,
    epochs: Sequence[Network] = (),
) -> Insights:
    """Run the network over a split, some images at a time, in a few threads.

    Args:
        network: A network for 28×28 images, with an output per class of `CLASS_NAMES`.
        split: Images in which each class occurs twice or more.
        progress: Called after each batch, in the caller's thread.
        epochs: The network as it was at each of its checkpoints.

    Raises:
        InsightsError: openTSNE is not installed.
        ValueError: A class has no two images, or the network's output is not one number per class.
    """
    _check(network, split)
    require_embedding_package()
    stages = _Stages(progress, len(epochs))
    # Matrices of a few images are too small for two BLAS threads: starting them costs more than it
    # saves. Instead each thread of the pool takes other images. After Ctrl-C the pool ends with the
    # batches that it was given, a fraction of a second later.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(_THREADS) as pool:
        collected = _run_split(pool, network, split, stages)
        epoch_accuracy = _epoch_accuracy(pool, epochs, split, stages)
    filters = {}
    for position, (name, study) in enumerate(collected.studies.items()):
        stages("separation", position / len(collected.studies), f"classes that {name} tells apart")
        filters[name] = study.result(collected.responses[name])
    stages("embedding", 0, "a map of the images")
    embedding = embed_neighbours(
        collected.features, lambda share: stages("embedding", share, "a map of the images")
    )
    stages("embedding", 1, "done")
    return Insights(
        class_means=collected.class_means(),
        filters=filters,
        probabilities=stored(collected.probabilities),
        pair_accuracy=stored(collected.tally.pair_accuracy[0]),
        components=stored(statistics.principal_components(collected.features)),
        embedding=stored(embedding),
        epoch_accuracy=stored(epoch_accuracy),
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
class _Batch:
    """Measurements of the network over a batch of n images.

    Attributes:
        features: float32 (n, inputs), the input of the last layer with weights.
        logits, probabilities: float32 (n, 10).
        responses: spatial layer's name to float64 (n, filters), the maps' means.
        filters: convolution's name to the measurements of its filters.
    """

    features: Float
    logits: Float
    probabilities: Float
    responses: Mapping[str, NDArray[np.float64]]
    filters: Mapping[str, FilterBatch]


class _SplitRun:
    """A run of the network over a split: `measure` computes, in any thread; `add` collects.

    Attributes:
        features, probabilities, responses: As in `_Batch`, for all n images.
        studies: convolution's name to the measurements of its filters so far.
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
            layer.name: FilterStudy(network, layer, split.labels) for layer in convolutions(network)
        }
        self.tally = Tally(1)

    def class_means(self) -> dict[str, Float]:
        """Return what `Insights.class_means` stores."""
        return {
            name: stored(_class_means(means, self._split.labels))
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
            x = layer.activate(z, overwrite=reuse)  # (n, *layer.output_shape)
            if layer.name in self.responses:
                responses[layer.name] = x.mean(axis=(1, 2), dtype=np.float64)
            if layer.name in self.studies:
                filters[layer.name] = self.studies[layer.name].measure(x, labels)
        return _Batch(features, z, x, responses, filters)

    def add(self, part: slice, batch: _Batch) -> None:
        """Add the result of `measure` for a part of the images."""
        labels = self._split.labels[part]
        self.features[part] = batch.features
        self.probabilities[part] = batch.probabilities
        self.tally.add(batch.logits[np.newaxis], labels)
        for name, responses in batch.responses.items():
            self.responses[name][part] = responses
        for name, filters in batch.filters.items():
            self.studies[name].add(part, filters)


def _class_means(responses: NDArray[np.float64], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean of the responses (n, filters) to the images of each class, (10, filters)."""
    return np.stack([responses[labels == label].mean(axis=0) for label in range(CLASSES)])
