"""Filters switched off: a set's answer on the app's sample against a forward pass of the sample.

    python -m benchmarks.ablation

The page keeps what the sample of 1,000 test images has become where each convolution is read. What
a user would otherwise do is a forward pass of all of them, the maps set to 0: with `core.network`,
and with a Keras model whose convolutions are followed by a mask. All are timed in turn, in one
process, and the median over random sets is taken. NumPy gets one BLAS thread, as in the app.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.table import machine, table
from core import dataset
from core.cache import SAMPLE_SHARE
from core.dataset import to_input
from core.evidence import ablation
from core.evidence.ablation import Off
from core.evidence.sample import Sample
from core.models.model_folder import MODELS_DIR, ModelFolder

SETS = 15
BOUND = 0.5  # seconds, for any set


def main() -> None:
    """Print the figures."""
    # Imported late, as TensorFlow takes seconds to start.
    import keras

    folder = ModelFolder(MODELS_DIR / "tutorial")
    network = folder.read().network()
    _, part = dataset.hold_out(dataset.load_split("test"), SAMPLE_SHARE, seed=0)
    images = to_input(part.images)
    masked = _with_masks(keras, keras.saving.load_model(folder.path / "model.keras"))
    first, second = ablation.convolutions(network)
    rng = np.random.default_rng(0)
    rows = []
    with threadpool_limits(limits=1, user_api="blas"):
        sample = Sample(network, part)
        for words, layers in (
            (f"a set of {second.name}", (second,)),
            (f"a set of {first.name} and {second.name}", (first, second)),
        ):
            times: list[tuple[float, float, float]] = []
            for _ in range(SETS):
                off: Off = {
                    layer.name: sorted(rng.permutation(64)[: rng.integers(1, 64)].tolist())
                    for layer in layers
                }
                changed = ablation.switched_off(network, off)
                for name in (first.name, second.name):
                    kept = np.ones(64, np.float32)
                    kept[list(off.get(name, ()))] = 0
                    masked.get_layer(f"mask_{name}").set_weights([kept])
                ours = _seconds(lambda off=off: sample.answers(off))
                plain = _seconds(lambda changed=changed: changed.predict(images, 32))
                keras_ = _seconds(lambda: masked.predict(images, batch_size=128, verbose=0))
                times.append((ours, plain, keras_))
            ours, plain, keras_ = (median(column) for column in zip(*times[1:], strict=True))
            slowest = max(time[0] for time in times[1:])
            rows.append(
                (
                    words,
                    f"{1e3 * ours:.0f} ms",
                    f"{1e3 * slowest:.0f} ms ({1e3 * BOUND:.0f})",
                    f"{plain / ours:.1f} ×",
                    f"{keras_ / ours:.1f} ×",
                )
            )
    print(machine())
    header = ("1,000 images", "median", "slowest (asked)", "forward pass", "Keras predict")
    print(table(header, rows))


def _with_masks(keras: Any, model: Any) -> Any:
    """The model with a factor for each filter behind its convolutions."""

    class Mask(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: tuple[int, ...]) -> None:
            self.kept = self.add_weight(shape=shape[-1:], initializer="ones")

        def call(self, maps: Any) -> Any:
            return maps * self.kept

    x = source = keras.Input((28, 28, 1))
    for layer in model.layers:
        x = layer(x)
        if isinstance(layer, keras.layers.Conv2D):
            x = Mask(name=f"mask_{layer.name}")(x)
    return keras.Model(source, x)


def _seconds(function: Any) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
