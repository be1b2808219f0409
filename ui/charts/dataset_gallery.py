"""The dataset gallery: its splits, an example and the average of each class, a histogram."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.dataset import CLASS_NAMES, TrainSummary
from core.pictures.scales import PIXELS
from ui import markup
from ui.charts.vega import Spec
from ui.markup import class_label

HISTOGRAM_BINS = 16
BIN_WIDTH = 256 // HISTOGRAM_BINS


def splits_table(train_images: int, test_images: int) -> str:
    """Return the shapes of both splits, as stored and as the network wants them, HTML."""
    rows = "".join(
        f"<tr><th>{name}<td>{count:,} × 28 × 28<td>uint8, 0 to 255<td>{count:,} × 28 × 28 × 1"
        "<td>float32, 0 to 1"
        for name, count in (("train", train_images), ("test", test_images))
    )
    return markup.row(
        markup.title("Fashion-MNIST", "grey-scale pictures of garments, 28×28 pixels")
        + '<table class="numbers roomy"><tr><th>split<th>images as stored<th>values'
        f"<th>input of the network<th>values{rows}</table>"
        + markup.note(
            "The network wants a channel axis and small numbers: the images are reshaped to "
            "(n, 28, 28, 1) and divided by 255. Training uses the train split only; the test split "
            "says how well the network does on images that it has never seen."
        )
    )


def class_examples(summary: TrainSummary, test_counts: npt.NDArray[np.intp]) -> str:
    """Return one training image of each class, and the average of all, HTML.

    Args:
        summary: The training images' examples, means and counts.
        test_counts: Test images of each class, (10,).
    """
    firsts = "".join(
        "<figure>"
        + markup.picture(
            summary.examples[label], PIXELS, f"Training image {index}, {CLASS_NAMES[label]}", 112
        )
        + f"<figcaption>{class_label(label)}<br><small>training image {index}</small></figcaption>"
        "</figure>"
        for label, index in enumerate(summary.example_indices.tolist())
    )
    averages = "".join(
        "<figure>"
        + markup.picture(
            summary.class_means[label],
            PIXELS,
            f"Average training image of {CLASS_NAMES[label]}",
            112,
        )
        + f"<figcaption>{class_label(label)}<br><small>{summary.class_counts[label]:,} train, "
        f"{test_counts[label]:,} test</small></figcaption></figure>"
        for label in range(len(CLASS_NAMES))
    )
    return markup.row(
        markup.title("One training image of each class", "the first of its class")
        + f'<div class="examples">{firsts}</div>',
        markup.title("The average image of each class", "mean of its training images")
        + f'<div class="examples">{averages}</div>'
        + markup.note(
            "Black is 0, white is 255. A sharp average means that the images of a class agree; "
            "bags and sandals vary most."
        ),
    )


def pixel_histogram(image: npt.NDArray[np.uint8]) -> Spec:
    """Return the chart of how often each brightness occurs in an image (28, 28)."""
    counts, edges = np.histogram(image, bins=HISTOGRAM_BINS, range=(0, 256))
    return {
        "height": 250,
        # Data in a layer, not on top: there Streamlit adds it late, and Vega warns.
        "layer": [
            {
                "data": {
                    "values": [
                        {"from": int(low), "to": int(low) + BIN_WIDTH, "pixels": int(count)}
                        for low, count in zip(edges[:-1], counts, strict=True)
                    ]
                },
                "mark": {"type": "bar", "tooltip": True},
                "encoding": {
                    "x": {
                        "field": "from",
                        "type": "quantitative",
                        "bin": {"binned": True, "step": BIN_WIDTH},
                        "title": "pixel value, from 0 (black) to 255 (white)",
                    },
                    "x2": {"field": "to"},
                    "y": {
                        "field": "pixels",
                        "type": "quantitative",
                        "title": "pixels, of 784",
                    },
                },
            }
        ],
    }
