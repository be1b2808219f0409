"""The NumPy network against Keras: one image, 10,000 images, and the memory those take.

    python -m benchmarks.forward

Ratios are what to look at: both sides are timed in turn, in one process, and the median is taken,
so a slow or busy machine slows both. NumPy gets one BLAS thread, as in the app; Keras gets what it
takes by default. The memory is that of a process of its own that imports NumPy and `core.network`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from core.network import BATCH_SIZE, Array, Network

SHIPPED = Path("assets/models/tutorial/model.keras")
IMAGES = 10_000
KERAS_BATCH_SIZES = (32, 64, 128, 256, 512, 1024, 2048)

# VmHWM is the process's own peak in kB, on Linux. (resource.getrusage would not do: a new process
# starts from the peak of the one that started it, which has TensorFlow in it.)
MEMORY_SCRIPT = """
import sys
import numpy as np
from pathlib import Path
from core.network import Network
network = Network.load(sys.argv[1])
images = np.random.default_rng(0).random((int(sys.argv[2]), *network.input_shape), np.float32)
network.predict(images)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


def main() -> None:
    """Print the figures."""
    # Imported late: TensorFlow takes seconds to start, and other benchmarks import from here.
    import keras

    with TemporaryDirectory() as folder:
        path = SHIPPED
        if not path.exists():
            path = Path(folder) / "model.keras"
            tutorial_architecture(keras).save(path)
        print(f"network: {path if path == SHIPPED else 'the tutorial’s architecture, untrained'}")

        network = Network.load(path)
        model = keras.models.load_model(path, compile=False)
        with threadpool_limits(limits=1, user_api="blas"):
            one_image(network, model, keras)
            many_images(network, model)
        memory(path)


def one_image(network: Network, model: Any, keras: Any) -> None:
    """One image, the output of every layer."""
    image = random_images(network, 1)
    outputs = [model.get_layer(layer.name).output for layer in network.layers]
    extractor = keras.Model(model.inputs[0], outputs)
    ours, called, predicted = interleaved(
        lambda: network.activations(image),
        lambda: extractor(image, training=False),
        lambda: extractor.predict(image, verbose=0),
        repeats=60,
    )
    print(f"\none image, all {len(outputs)} outputs (in brackets: the ratio asked for)")
    print(f"  core.network             {1e3 * ours:7.2f} ms")
    print(f"  calling the Keras model  {1e3 * called:7.2f} ms, {called / ours:.0f} × (20)")
    print(f"  Keras predict            {1e3 * predicted:7.2f} ms, {predicted / ours:.0f} × (60)")


def many_images(network: Network, model: Any) -> None:
    """The predictions for many images, Keras at the batch size that suits it best."""
    images = random_images(network, IMAGES)

    def keras_predict(batch_size: int) -> Callable[[], object]:
        return lambda: model.predict(images, batch_size=batch_size, verbose=0)

    sweep = interleaved(*map(keras_predict, KERAS_BATCH_SIZES), repeats=2)
    best = min(zip(sweep, KERAS_BATCH_SIZES, strict=True))[1]
    ours, theirs = interleaved(lambda: network.predict(images), keras_predict(best), repeats=5)
    print(f"\n{IMAGES:,} images, predictions")
    print(f"  core.network, {BATCH_SIZE} at a time      {ours:6.2f} s")
    print(f"  Keras predict, batches of {best:<5} {theirs:6.2f} s")
    print(f"  core.network takes {ours / theirs:.2f} times as long (asked: at most 2.5)")


def memory(path: Path) -> None:
    """Peak resident memory of predicting many images, the images included."""
    command = [sys.executable, "-c", MEMORY_SCRIPT, str(path), str(IMAGES)]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"  in {kilobytes * 1024 / 1e6:.0f} MB, the images included (asked: less than 300 MB)")


def interleaved(*functions: Callable[[], object], repeats: int) -> list[float]:
    """Median seconds of each function, all called in turn `repeats` times after a warm-up."""
    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(repeats):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return [median(seconds) for seconds in times]


def random_images(network: Network, count: int) -> Array:
    """Noise: how long a forward pass takes does not depend on the pixels."""
    return np.random.default_rng(0).random((count, *network.input_shape), np.float32)


def tutorial_architecture(keras: Any) -> Any:
    """The tutorial's network, untrained."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


if __name__ == "__main__":
    main()
