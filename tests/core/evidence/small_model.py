"""A small network and split, and their insights."""

import numpy as np

from core.dataset import CLASS_NAMES, Split
from core.network import Conv2D, Dense, Flatten, MaxPooling2D, Network, Slide

CLASSES = len(CLASS_NAMES)


def make_network(outputs=CLASSES, seed=1):
    rng = np.random.default_rng(seed)

    def weights(*shape):
        normal = rng.normal(0, 0.3, (*shape,)).astype(np.float32)
        return {"kernel": normal, "bias": normal[(0,) * (len(shape) - 1)].copy()}

    wide, pair = Slide(28, window=5, stride=3), Slide(8, window=2, stride=2)
    return Network(
        (28, 28, 1),
        [
            Conv2D("conv", (28, 28, 1), wide, wide, weights(5, 5, 1, 3), "relu"),
            MaxPooling2D("pool", (8, 8, 3), pair, pair),
            Flatten("flat", (4, 4, 3)),
            Dense("dense", (48,), weights(48, outputs), "softmax"),
        ],
    )


def make_split(n=57):
    rng = np.random.default_rng(2)
    labels = np.arange(n, dtype=np.uint8) % CLASSES
    return Split(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.permutation(labels))
