"""What a model's filters do over a whole split, computed once: `python -m core.insights FOLDER`.

A page that shows one image computes what it shows. What takes all 10,000 test images is computed
here, ahead of time, and kept as `insights.npz` in the model's folder.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.dataset import CLASS_NAMES, DatasetError, Split, load_split, to_input
from core.keras_file import ModelError
from core.network import Network

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done, 0 to 1, and a few words on where it stands."""

_CLASS_MEANS = "class_means/"


@dataclass(frozen=True, eq=False)
class Insights:
    """What a network does over the n images of a split; the arrays are read-only.

    Attributes:
        class_means: spatial layer's name to float32 (10, filters), the mean response of each filter
            to the images of each class, where a response is the mean of an activation map.
        probabilities: float32 (n, 10), the network's output for each image.
    """

    class_means: Mapping[str, NDArray[np.float32]]
    probabilities: NDArray[np.float32]

    @property
    def predictions(self) -> NDArray[np.intp]:
        """The most probable class of each image, integers (n,); the lowest on ties."""
        predictions: NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return predictions

    def accuracy(self, labels: NDArray[np.uint8]) -> float:
        """Return the share of right predictions, 0 to 1, given the split's labels (n,)."""
        return float((self.predictions == labels).mean())

    def loss(self, labels: NDArray[np.uint8]) -> float:
        """Return the mean cross-entropy in nats, given the split's labels (n,).

        Probabilities below 1e-7 count as 1e-7, as in Keras.
        """
        right = self.probabilities[np.arange(len(labels)), labels].astype(np.float64)
        return float(-np.log(right.clip(1e-7)).mean())

    def class_accuracy(self, labels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the share of right predictions among the images of each class, float64 (10,)."""
        right = np.bincount(labels[self.predictions == labels], minlength=len(CLASS_NAMES))
        return right / np.bincount(labels, minlength=len(CLASS_NAMES))

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays by the names that they have in `insights.npz`."""
        class_means = {_CLASS_MEANS + name: means for name, means in self.class_means.items()}
        return {**class_means, "probabilities": self.probabilities}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]], network: Network) -> "Insights":
        """Take the arrays of `to_arrays`, after a check that they fit the network.

        Raises:
            ValueError: An array is missing, or its type, shape or values cannot be right.
        """
        classes = len(CLASS_NAMES)
        class_means = {
            layer.name: _checked(
                arrays, _CLASS_MEANS + layer.name, (classes, layer.output_shape[-1])
            )
            for layer in network.spatial_layers
        }
        return cls(class_means, _checked(arrays, "probabilities", (None, classes)))


def compute(network: Network, split: Split, progress: Progress | None = None) -> Insights:
    """Run the network over a split, a few images at a time.

    Args:
        network: One that takes 28×28 images and tells `CLASS_NAMES` apart.
        split: Images in which each class occurs.
        progress: Called after each batch.

    Raises:
        ValueError: A class has no image, or the network's output is not one number a class.
    """
    images, labels = split.images, split.labels
    counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    if not counts.all():
        raise ValueError(f"no image of {CLASS_NAMES[int(counts.argmin())]}")
    output_shape = network.layers[-1].output_shape
    if output_shape != (len(CLASS_NAMES),):
        raise ValueError(f"the network's output is {output_shape}, not {len(CLASS_NAMES)} classes")

    sums = {
        layer.name: np.zeros((len(CLASS_NAMES), layer.output_shape[-1]))
        for layer in network.spatial_layers
    }
    probabilities = np.empty((len(images), len(CLASS_NAMES)), np.float32)
    # Matrices of a few images are too small for two BLAS threads: they cost more than they bring.
    with threadpool_limits(limits=1, user_api="blas"):
        for part, activations in network.batches(to_input(images)):
            for name, total in sums.items():
                responses = activations[name].mean(axis=(1, 2), dtype=np.float64)
                np.add.at(total, labels[part], responses)
            probabilities[part] = activations[network.layers[-1].name]
            if progress:
                done = min(part.stop, len(images))
                progress(done / len(images), f"insights: {done:,} of {len(images):,} images")

    class_means = {
        name: _read_only((total / counts[:, np.newaxis]).astype(np.float32))
        for name, total in sums.items()
    }
    return Insights(class_means, _read_only(probabilities))


class ProgressBar:
    """A `Progress` that draws a bar and the time left on standard error; a context manager.

    On a terminal it is one line that changes; elsewhere, as in a log file, a line now and then.
    """

    WIDTH = 16

    def __init__(self) -> None:
        """Start the clock."""
        self._terminal = sys.stderr.isatty()
        self._interval = 0.1 if self._terminal else 30.0  # seconds
        self._started = time.monotonic()
        self._drawn = -math.inf
        self._share = 0.0

    def __enter__(self) -> Self:
        """Return the bar."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the line, so that what is printed next begins a new one."""
        if self._terminal:
            print(file=sys.stderr)

    def __call__(self, share: float, words: str) -> None:
        """Draw the bar, unless it was drawn a moment ago; a smaller share begins another task."""
        now = time.monotonic()
        if share < self._share:
            self._started = now
        self._share = share
        if share < 1 and now - self._drawn < self._interval:
            return
        self._drawn = now
        bar = "#" * round(share * self.WIDTH)
        line = f"[{bar:<{self.WIDTH}}] {share:4.0%}  {words}"
        if share:
            left = (now - self._started) * (1 - share) / share
            line += f"  {int(left) // 60}:{int(left) % 60:02} left"
        if self._terminal:
            print(f"\r{line:<79}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _checked(
    arrays: Mapping[str, NDArray[np.float32]], name: str, shape: tuple[int | None, int]
) -> NDArray[np.float32]:
    """Return a finite float32 array of that shape (None: any length), read-only, or ValueError."""
    if name not in arrays:
        raise ValueError(f"{name} is missing")
    array = arrays[name]
    fits = array.ndim == 2 and array.shape[1] == shape[1] and shape[0] in (None, len(array))
    if array.dtype != np.float32 or not fits or not np.isfinite(array).all():
        raise ValueError(f"{name} is not an array of {shape} finite numbers")
    return _read_only(array)


def _read_only(array: NDArray[np.float32]) -> NDArray[np.float32]:
    array.flags.writeable = False
    return array


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    # Not at the top: model_folder imports this module.
    from core.model_folder import INSIGHTS_FILE, ModelFolder

    parser = argparse.ArgumentParser(
        prog="python -m core.insights",
        description="Compute what a model's filters do over the 10,000 test images.",
    )
    parser.add_argument("folder", type=Path, help="a model folder, such as assets/models/tutorial")
    folder = ModelFolder(parser.parse_args(arguments).folder.resolve())
    try:
        network, split = folder.network(), load_split("test")
        with ProgressBar() as progress:
            insights = compute(network, split, progress)
        folder.write_insights(insights)
    except KeyboardInterrupt:
        print("Interrupted: nothing was written.", file=sys.stderr)
        return 130
    except (DatasetError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"{folder.path}: {error}.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{folder.path} cannot be written to: {error.strerror or error}.", file=sys.stderr)
        return 1
    print(folder.path / INSIGHTS_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
