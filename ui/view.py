"""The view of all pages: a model, a test image, and the insights of the model."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from core import cache
from core.cache import Version
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights
from core.models.model_folder import ModelFolder
from core.network import ModelError, Network

NO_CHECKPOINTS = (
    "This model came without the weights of its training epochs (checkpoints.npz, history.csv), so "
    "only the trained network can be shown."
)


@dataclass(frozen=True)
class View:
    """The model and the test image that all pages look at."""

    model: Version
    network: Network
    index: int
    image: npt.NDArray[np.uint8]  # (28, 28)
    label: int

    @property
    def activations(self) -> dict[str, npt.NDArray[np.float32]]:
        """Each layer's output, without the batch axis.

        Not kept here: a page's fragments live as long as its session, and with them the page's
        view. Two hundred sessions would keep two hundred images' outputs.
        """
        return cache.activations(self.model, self.index)

    @property
    def prediction(self) -> int:
        """The class with the highest probability."""
        return int(np.argmax(self.probabilities))

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """The network's last output, one number a class."""
        return self.activations[self.network.layers[-1].name]

    @property
    def title(self) -> str:
        """The image in words, as in "test image 2000, Bag"."""
        return f"test image {self.index}, {CLASS_NAMES[self.label]}"


def measured(view: View) -> tuple[Insights | None, str]:
    """Return the model's insights and ""; if there are none, None and HTML that says why."""
    try:
        insights = cache.insights(view.model)
    except ModelError as error:
        return None, escape(str(error))
    if insights is None:
        return None, _not_measured(view.model.folder)
    return insights, ""


def _not_measured(folder: ModelFolder) -> str:
    """HTML that says why a model has no insights yet."""
    done = folder.being_measured()
    if done is not None:
        return (
            f"The filters of this model are being measured over all 10,000 test images, {done:.0%} "
            "done. Reload the page in a few minutes."
        )
    command = f"<code>{escape(folder.insights_command)}</code>"
    return f"This needs all 10,000 test images, which were not run yet: {command}"
