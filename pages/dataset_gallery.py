"""The data: what it holds, one image of each class, and all images to browse (rows S1–S4)."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import cache
from core.dataset import CLASS_NAMES, DatasetError, TrainSummary
from core.pictures import export
from core.pictures.png import encode_png
from core.pictures.scales import PIXELS
from ui import controls, frame, html
from ui.components.contact_sheet import contact_sheet
from ui.downloads import downloads

frame.start_page()

PER_PAGE = 75  # whole rows, whether 15 or 25 fit in one

try:
    test = cache.split("test")
except DatasetError as error:
    st.error(html.sentence(error))
    st.stop()


def pick(key: str, index: int) -> None:
    """Opens an image: a test image everywhere, a training image on this page."""
    controls.choose(**{key: index})


def splits(summary: TrainSummary) -> str:
    """The shapes of both splits, as stored and as the network wants them."""
    rows = "".join(
        f"<tr><th>{name}<td>{count:,} × 28 × 28<td>uint8, 0 to 255<td>{count:,} × 28 × 28 × 1"
        "<td>float32, 0 to 1"
        for name, count in (("train", int(summary.class_counts.sum())), ("test", len(test.labels)))
    )
    return html.row(
        html.title("Fashion-MNIST", "grey-scale pictures of garments, 28×28 pixels")
        + '<table class="numbers roomy"><tr><th>split<th>images as stored<th>values'
        f"<th>input of the network<th>values{rows}</table>"
        + html.note(
            "The network wants a channel axis and small numbers: the images are reshaped to "
            "(n, 28, 28, 1) and divided by 255. Training uses the train split only; the test split "
            "says how well the network does on images that it has never seen."
        )
    )


def examples(summary: TrainSummary) -> str:
    """One training image of each class, and the average of all."""
    firsts = "".join(
        "<figure>"
        + html.picture(
            summary.examples[label], PIXELS, f"Training image {index}, {CLASS_NAMES[label]}", 112
        )
        + f"<figcaption>{html.class_label(label)}<br>"
        f"<small>training image {index}</small></figcaption></figure>"
        for label, index in enumerate(summary.example_indices.tolist())
    )
    test_counts = np.bincount(test.labels, minlength=len(CLASS_NAMES))
    averages = "".join(
        "<figure>"
        + html.picture(
            summary.class_means[label],
            PIXELS,
            f"Average training image of {CLASS_NAMES[label]}",
            112,
        )
        + f"<figcaption>{html.class_label(label)}<br><small>{summary.class_counts[label]:,} train, "
        f"{test_counts[label]:,} test</small></figcaption></figure>"
        for label in range(len(CLASS_NAMES))
    )
    return html.row(
        html.title("One training image of each class", "the first of its class")
        + f'<div class="examples">{firsts}</div>',
        html.title("The average image of each class", "mean of its training images")
        + f'<div class="examples">{averages}</div>'
        + html.note(
            "Black is 0, white is 255. A sharp average means that the images of a class agree; "
            "bags and sandals vary most."
        ),
    )


def histogram(image: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Vega-Lite chart of how often each brightness occurs."""
    counts, edges = np.histogram(image, bins=16, range=(0, 256))
    return {
        "height": 250,
        # Data in a layer, not on top: there Streamlit adds it late, and Vega warns.
        "layer": [
            {
                "data": {
                    "values": [
                        {"from": int(low), "to": int(low) + 16, "pixels": int(count)}
                        for low, count in zip(edges[:-1], counts, strict=True)
                    ]
                },
                "mark": {"type": "bar", "tooltip": True},
                "encoding": {
                    "x": {
                        "field": "from",
                        "type": "quantitative",
                        "bin": {"binned": True, "step": 16},
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


st.header("Dataset gallery", anchor=False)
try:
    summary = cache.train_summary()
    html.show(cache.kept(lambda: splits(summary) + examples(summary), "gallery"))
except DatasetError as error:
    st.error(html.sentence(error))

st.subheader("Browse", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom"):
    split_name = controls.gallery_split()
    label = controls.gallery_class()
    try:
        split = cache.split(split_name)
    except DatasetError as error:
        st.info(html.sentence(error))
        st.stop()
    indices = (
        np.arange(len(split.labels)) if label is None else cache.class_indices(split_name, label)
    )
    page = controls.gallery_page(-(-len(indices) // PER_PAGE))
    key = "image" if split_name == "test" else "train_image"
    opened = (
        int(st.session_state.get("image", controls.DEFAULT_IMAGE))
        if split_name == "test"
        else controls.train_image()
    )
shown = indices[(page - 1) * PER_PAGE : page * PER_PAGE]
contact_sheet(
    split.images[shown],
    shown.tolist(),
    [CLASS_NAMES[label] for label in split.labels[shown]],
    opened,
    key="contact_sheet",
    on_pick=partial(pick, key),
)
html.show(
    html.note(
        "Click an image to open it below. A test image is then shown on every page."
        if split_name == "test"
        else "Click an image to open it below."
    )
)

image = split.images[opened]
left, right = st.columns([2, 3], gap="medium")
with left:
    html.show(
        html.title(
            f"{split_name.capitalize()} image {opened}", html.class_label(int(split.labels[opened]))
        )
        + html.picture(image, PIXELS, f"{split_name} image {opened}", 280)
    )
with right:
    html.show(html.title("Histogram of its pixel values"))
    st.vega_lite_chart(
        histogram(image), alt=f"Histogram of the pixel values of {split_name} image {opened}"
    )
html.show(
    html.title("Its pixel values", "0 is black, 255 is white; cells above 0 are marked")
    + cache.kept(lambda: html.number_table(image), "pixels", split_name, opened)
)
downloads(
    (
        "Image (PNG, 28×28)",
        f"{split_name}_{opened}.png",
        lambda: encode_png(image, "grey"),
    ),
    (
        "Pixel values (CSV)",
        f"{split_name}_{opened}.csv",
        lambda: export.numbers_csv(image).encode(),
    ),
    ("Pixel values (NPY)", f"{split_name}_{opened}.npy", lambda: export.numbers_npy(image)),
)
html.show(
    html.note(
        html.link(
            controls.address("dataset_gallery", image=controls.DEFAULT_IMAGE),
            f"As in the tutorial: test image {controls.DEFAULT_IMAGE}",
        )
    )
)
