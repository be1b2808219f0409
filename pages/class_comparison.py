"""One filter's answer to two classes, side by side (rows S14–S16 of the tutorial)."""

from html import escape

import numpy as np
import streamlit as st

from core import cache, images
from core.dataset import CLASS_NAMES
from core.images import PIXELS, Column, Scale, class_label
from ui import controls, figures, frame
from ui.downloads import downloads

frame.start_page()
view = frame.view(with_maps=True)

# The tutorial takes its examples from the first 40 test images.
FIRST_IMAGES = 40
TUTORIAL_FILTER = 10
layers = view.network.spatial_layers
test = cache.split("test")


def maps_of(layer_name: str, index: int, filter_index: int) -> np.ndarray:
    """The map of a filter for one test image."""
    return cache.activations(view.model, index)[layer_name][:, :, filter_index]


def grid(columns: list[Column], rows: list[str], width: int | str) -> str:
    """A table of pictures: a row an image, a column a layer, one colour scale a column."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title, _, _ in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row)}</th>'
        + "".join(
            f"<td>{figures.picture(arrays[position], scale, f'{row}: {title}', width)}</td>"
            for title, arrays, scale in columns
        )
        for position, row in enumerate(rows)
    )
    ends = "".join(
        f"<td>{figures.colour_bar(scale) if scale is not PIXELS else ''}</td>"
        for _, _, scale in columns
    )
    return figures.scrolling(
        f'<table class="grid-figure"><tr><td></td>{head}</tr>{body}'
        f"<tr><td></td>{ends}</tr></table>",
        "The images in rows, what the filter makes of them in columns",
    )


def pair_columns(indices: list[int], filter_index: int) -> list[Column]:
    """The input and the filter's map in each spatial layer, for each image."""
    columns: list[Column] = [("input", [test.images[index] for index in indices], PIXELS)]
    for layer in layers:
        if filter_index < layer.output_shape[2]:
            maps = [maps_of(layer.name, index, filter_index) for index in indices]
            columns.append((layer.name, maps, Scale.of(np.stack(maps))))
    return columns


def mean_responses(filter_index: int) -> str:
    """The filter's mean response to both classes over the whole test split, layer by layer."""
    insights, problem = frame.measured(view)
    if insights is None:
        return figures.note(problem)
    rows = []
    for layer in layers:
        if filter_index >= layer.output_shape[2]:
            continue
        means = insights.class_means[layer.name][[class_a, class_b], filter_index]
        rows.append((layer.name, [float(mean) for mean in means]))
    return figures.title(
        "Mean response over the whole test split", "activation; longer is stronger"
    ) + figures.paired_bars(rows, (CLASS_NAMES[class_a], CLASS_NAMES[class_b]))


@st.fragment
def comparison() -> None:
    """Only this part runs again when the filter changes."""
    count = max(layer.output_shape[2] for layer in layers)
    index = controls.filter_index(count)
    columns = pair_columns(chosen, index)
    rows = [f"{image} {CLASS_NAMES[test.labels[image]]}" for image in chosen]
    st.html(
        figures.row(
            figures.title(
                f"Filter {index}", "activation; one colour scale a column, so rows compare"
            )
            + grid(columns, rows, "clamp(72px, 5.6vw, 112px)"),
            mean_responses(index)
            + figures.note(
                "What to see: a filter that outlines vertical edges in one class may answer to "
                "horizontal ones in the other. A map that stays dark in all rows of one class and "
                "lights up in the other tells the two apart, here at least; the bars say whether "
                "it does over all test images."
            ),
        )
    )
    name = f"classes{class_a}_{class_b}_filter{index}"
    downloads(
        (
            "Figure (PNG)",
            f"{name}.png",
            lambda: images.rows_figure(columns, rows, f"Filter {index}"),
        ),
        (
            "Maps (NPZ)",
            f"{name}.npz",
            lambda: images.arrays_npz({title: np.stack(maps) for title, maps, _ in columns}),
        ),
    )


st.header("Class comparison", anchor=False)
left, middle, right = st.columns(3)
with left:
    class_a, class_b = controls.class_pair()
with middle:
    picked_a = controls.picked_images("images_a", class_a, test.labels)
    picked_b = controls.picked_images("images_b", class_b, test.labels)
with right:
    examples = controls.example_count()

chosen = [
    index
    for label, picked in ((class_a, picked_a), (class_b, picked_b))
    for index in (picked or cache.class_indices("test", label).tolist())[:examples]
]
comparison()

first_of_class = [int(cache.class_indices("test", label)[0]) for label in range(len(CLASS_NAMES))]
mean_columns: list[Column] = [("input", [test.images[index] for index in first_of_class], PIXELS)]
for layer in layers[:3]:
    means = [
        cache.activations(view.model, index)[layer.name].mean(axis=2) for index in first_of_class
    ]
    mean_columns.append((f"mean of {layer.name}", means, Scale.of(np.stack(means))))
others = "".join(
    '<tr><td class="thumbnails">'
    + "".join(
        "<figure>"
        + figures.picture(
            test.images[index], PIXELS, f"Test image {index}, {CLASS_NAMES[label]}", 46
        )
        + f"<figcaption>{index}</figcaption></figure>"
        for index in np.flatnonzero(test.labels[:FIRST_IMAGES] == label).tolist()
    )
    for label in range(len(CLASS_NAMES))
)
st.html(
    figures.row(
        figures.title(
            "Ten classes", "the first test image of each, and the mean activation of all maps"
        )
        + grid(
            mean_columns,
            [f"{class_label(label)} ({index})" for label, index in enumerate(first_of_class)],
            64,
        ),
        figures.title(
            f"All of the first {FIRST_IMAGES} test images", "to compare with; enter numbers above"
        )
        + '<table class="grid-figure"><tr><th>&nbsp;</tr>'
        + others
        + "</table>",
    )
    + figures.note(
        "What to see: in the mean over all maps the garment is still itself after the first "
        "convolution; after the second it is a blur of where many filters answered. "
        + figures.link(
            controls.address("class_comparison", filter=TUTORIAL_FILTER),
            f"As in the tutorial: classes 0 and 9, filter {TUTORIAL_FILTER}",
        )
        + f". {figures.NUMBERS_DIFFER}"
    )
)
downloads(
    (
        "Ten classes (PNG)",
        "ten_classes.png",
        lambda: images.rows_figure(mean_columns, list(CLASS_NAMES), "Mean of all maps"),
    ),
    (
        "Mean maps (NPZ)",
        "ten_classes.npz",
        lambda: images.arrays_npz({title: np.stack(maps) for title, maps, _ in mean_columns}),
    ),
    key="download_classes",
)
