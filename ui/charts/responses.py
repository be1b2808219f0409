"""A filter's response to the images of each class, in the filter explorer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights
from ui import markup


def class_responses(insights: Insights, layer: str, index: int) -> str:
    """Return how to read a filter's top images, and its response to each class, HTML."""
    found = insights.filters[layer]
    means = insights.class_means[layer][:, index]
    best = int(np.argmax(means))
    selectivity = insights.selectivity(layer)
    return markup.note(
        "The nine images with the highest peak, under each its class and the peak (activation, "
        "no unit). Outlined, and enlarged below: all that the unit with the peak can see. "
        "Look for what the nine have in common there. Click one to open it, and that unit, in "
        "the microscope above."
    ) + markup.halves(
        markup.title("Mean response to the images of each class", "activation")
        + markup.class_quantiles(
            found.response_quantiles[index],
            f"Quantiles of the mean response to each class; highest mean {CLASS_NAMES[best]}",
        )
        + markup.note(
            "Of the 1,000 test images of a class, the box holds the middle half, the line all "
            "but the lowest and the highest twentieth; the mark and the number are the median. "
            "A filter that tells a class apart has a box there that the others do not reach."
        ),
        markup.title("What that says")
        + markup.facts(
            [
                ("highest mean response", f"{CLASS_NAMES[best]}, {means[best]:.3f}"),
                ("selectivity for it", f"{selectivity[index]:.2f}"),
            ]
        )
        + markup.title(f"In all of {layer}")
        + markup.facts(
            [
                ("dead filters", comma_list(np.flatnonzero(found.dead).tolist())),
                (
                    "near-duplicates",
                    comma_list([f"{one} and {other}" for one, other in found.duplicate_pairs]),
                ),
                ("most selective", comma_list(np.argsort(-selectivity)[:5].tolist())),
            ]
        )
        + markup.note(
            "Selectivity is (best class's mean − mean of the other nine) ÷ their sum: 0 where "
            "all classes get the same, 1 where only one gets any. A dead filter is 0 "
            "everywhere on all 10,000 images; near-duplicates correlate above 0.95 there."
        ),
    )


def comma_list(filters: Sequence[object]) -> str:
    """Return filter numbers with commas between them, "none" without any."""
    return ", ".join(map(str, filters)) or "none"
