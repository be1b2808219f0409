"""A map of the images: places in the plane such that near ones have similar features (t-SNE).

Only this module needs openTSNE, which the process that serves the app never imports.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.evidence.insights import InsightsError

_ITERATIONS_PER_CALL = 25


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


def embed_neighbours(
    features: NDArray[np.float32], progress: Callable[[float], None]
) -> NDArray[np.float64]:
    """Return places (n, 2) such that near ones have similar features.

    Args:
        features: Of each image, (n, features).
        progress: Called with the share that is done, 0 to 1.

    Source: van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008.
    """
    from openTSNE import TSNE

    iterations = {"early_exaggeration_iter": 250, "n_iter": 500}
    done = itertools.count(1)

    def callback(_iteration: int, _error: float, _places: NDArray[np.float64]) -> None:
        share = min(next(done) * _ITERATIONS_PER_CALL / sum(iterations.values()), 1.0)
        # The search for neighbours takes a tenth of the time. After that the time per iteration
        # grows with the map, because openTSNE's grid has a fixed cell size.
        progress(0.1 + 0.9 * share**2)

    tsne = TSNE(
        perplexity=min(30, (len(features) - 1) / 3),
        random_state=0,
        n_jobs=os.cpu_count() or 1,
        callbacks=callback,
        callbacks_every_iters=_ITERATIONS_PER_CALL,
        **iterations,
    )
    return np.asarray(tsne.fit(features), np.float64)
