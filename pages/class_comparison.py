"""One filter's answer to two classes, side by side (rows S14–S16 of the tutorial)."""

import re
from html import escape

import numpy as np
import streamlit as st

from core import cache, images
from core.dataset import CLASS_NAMES
from core.images import PIXELS, Column, Scale, class_label
from core.insights import Insights
from core.network import Layer
from core.separation import LEAST_IMAGES, Separation, separation
from ui import charts, controls, figures, frame, serving
from ui.downloads import File, downloads
from ui.separation import (
    WIDTH,
    MapPair,
    auc_words,
    average_maps,
    correlation,
    drop_words,
    verdict,
)

frame.start_page()
view = frame.view(with_maps=True)

# The tutorial takes its examples from the first 40 test images.
FIRST_IMAGES = 40
TUTORIAL_FILTER = 10
SHOWN_BEST = 4
NO_FILTERS = (
    "Only a convolution has filters of its own: choose one above to see which of them tell the two "
    "classes apart."
)
SAME_CLASS = "Choose two different classes above to see which filters tell them apart."
layers = view.network.spatial_layers
test = cache.split("test")
first_of_class = [int(cache.class_indices("test", label)[0]) for label in range(len(CLASS_NAMES))]


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


def tells_apart(chosen_filter: int) -> None:
    """Which filters of a layer tell the two classes apart, and which the network needs for that."""
    st.subheader(f"What tells {names[0]} and {names[1]} apart", anchor=False)
    layer = controls.layer(view.network)
    insights, problem = frame.measured(view)
    if class_a == class_b:
        figures.show(figures.note(SAME_CLASS))
    elif layer.kind != "Conv2D":
        figures.show(figures.note(NO_FILTERS))
    elif insights is None:
        figures.show(figures.note(problem))
    else:
        evidence_and_effect(layer, insights, chosen_filter)


def evidence_and_effect(layer: Layer, insights: Insights, chosen_filter: int) -> None:
    """Each filter's AUC above what its absence costs, in words, and the best filters' maps."""
    count = sum(len(cache.class_indices("test", label)) for label in (class_a, class_b))
    found = separation(insights, layer.name, class_a, class_b, count)

    def pick() -> None:
        """Takes over the filter that was clicked."""
        for column in controls.clicked("separation", "picked"):
            index = column.get("filter")
            if type(index) is int and 0 <= index < len(found.auc):
                controls.choose(filter=index)

    said = verdict(found, names)
    st.vega_lite_chart(
        charts.separation(found, names, chosen_filter),
        key="separation",
        on_select=pick,
        height=420,
        alt=f"Each filter's AUC and drop in pair accuracy. {re.sub('<[^>]*>', '', said)}",
    )
    maps = insights.filters[layer.name].class_maps
    pair = maps[class_a].astype(np.float32), maps[class_b].astype(np.float32)
    best = found.strongest[:SHOWN_BEST]
    if chosen_filter < len(found.auc):
        figures.show(chosen_maps(layer, found, pair, chosen_filter))
        shown = [chosen_filter, *(index for index in best if index != chosen_filter)]
    else:
        figures.show(figures.note(f"{layer.name} has no filter {chosen_filter}: choose one above."))
        shown = best
    # An element of its own, for the browser keeps it while only the filter changes.
    figures.show(
        cache.kept(
            lambda: in_words(layer, found, said) + best_maps(layer, found, pair, best),
            "evidence",
            view.model.key,
            layer.name,
            class_a,
            class_b,
        )
    )
    downloads(*separation_files(layer, found, pair, shown), key="download_separation")


def chosen_maps(layer: Layer, found: Separation, pair: MapPair, index: int) -> str:
    """The chosen filter's average maps of both classes, their difference, and its numbers."""
    columns = map_columns(pair, [index])
    return figures.row(
        figures.title(
            f"Filter {index} of {layer.name}", "average map over all test images of a class"
        )
        + grid(columns, ["mean"], WIDTH),
        figures.title("What it says, and what it does")
        + figures.facts(
            [
                ("AUC", auc_words(found, index)),
                ("drop", drop_words(found, index)),
                ("kind", charts.kind_of(found, index)),
            ]
        )
        + figures.note(
            f"In the difference red is brighter for {escape(names[0])}, blue for "
            f"{escape(names[1])}, white the same in both. Red here and blue there may leave an AUC "
            "near 0.5, and yet be what the next layer needs. Click a column above for another "
            "filter."
        ),
    )


def map_columns(pair: MapPair, shown: list[int]) -> list[Column]:
    """Some filters' average maps of both classes, on one scale, and their difference."""
    first, second = ([maps[:, :, index] for index in shown] for maps in pair)
    scale = Scale.of(np.stack(first + second))
    apart = [one - other for one, other in zip(first, second, strict=True)]
    return [
        (names[0], first, scale),
        (names[1], second, scale),
        ("difference", apart, Scale.centred(np.stack(apart))),
    ]


def in_words(layer: Layer, found: Separation, said: str) -> str:
    """What the chart of a layer says, and how to read it."""
    first, second = (escape(name) for name in names)
    return figures.halves(
        figures.title("Where evidence and effect disagree")
        + figures.note(said)
        + figures.note(correlation(found))
        + figures.note(
            "<b>Look for</b> filters that separate and are not needed, or are needed and hardly "
            "separate. There are three reasons: other filters say the same; the network uses "
            "<i>where</i> a map is bright, not only how bright it is on average; what a filter "
            "adds to the logits of both classes cancels."
        ),
        figures.title("How to read the chart")
        + figures.note(
            f"<b>Above</b>, what a filter of {layer.name} says by itself. AUC is the share of "
            f"pairs, one test image of {first} and one of {second}, in which {first} has the "
            "larger mean response: 0.5 is no difference, 1 or 0 tells them apart each time. The "
            "line is its 95 % interval (DeLong). <b>Below</b>, what the network loses: by how many "
            "percentage points the pair accuracy (the share of right answers when only the two "
            f"logits compete, {found.right / found.images:.2%} with all filters) falls with this "
            "filter alone off. “Best” and “most” are the first eighth of the filters, if their "
            f"interval is clear of 0.5 and the drop is {LEAST_IMAGES} images or more: fewer may be "
            "chance."
        ),
    )


def best_maps(layer: Layer, found: Separation, pair: MapPair, best: list[int]) -> str:
    """The average maps of the filters that separate best."""
    return figures.title(
        f"Average maps of the best separators in {layer.name}",
        "activation, over all test images of a class",
    ) + figures.row(
        average_maps(found, pair, best, names),
        figures.note(
            f"The {len(best)} filters with the largest |AUC − 0.5|. Both classes share a filter's "
            "scale, so the rows compare; the difference shows where the evidence lies. Where "
            "several look alike they say the same, and the network may do without one of them."
        ),
    )


def separation_files(
    layer: Layer, found: Separation, pair: MapPair, shown: list[int]
) -> list[File]:
    """The table of the layer's filters and the average maps, as files."""
    name = f"{layer.name}_classes{class_a}_{class_b}"
    columns = ("filter", "auc", "low", "high", "pair accuracy without", "drop in points")
    table = (
        found.falling,
        *(
            values[found.falling].tolist()
            for values in (
                found.auc,
                found.low,
                found.high,
                (found.right - found.lost) / found.images,
                found.drop,
            )
        ),
    )

    return [
        (
            "Separation (CSV)",
            f"{name}.csv",
            lambda: images.table_csv(columns, list(zip(*table, strict=True))),
        ),
        (
            "Average maps (PNG)",
            f"{name}_maps.png",
            lambda: images.rows_figure(
                map_columns(pair, shown),
                [f"filter {index}, AUC {found.auc[index]:.3f}" for index in shown],
                f"Average maps of {layer.name}",
            ),
        ),
        (
            "Average maps (NPZ)",
            f"{name}_maps.npz",
            lambda: images.arrays_npz({f"class_{class_a}": pair[0], f"class_{class_b}": pair[1]}),
        ),
    ]


@serving.fragment
def comparison() -> None:
    """Only this part runs again when the filter changes."""
    count = max(layer.output_shape[2] for layer in layers)
    index = controls.filter_index(count)
    columns = pair_columns(chosen, index)
    rows = [f"{image} {CLASS_NAMES[test.labels[image]]}" for image in chosen]
    figures.show(
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
    tells_apart(index)


def ten_classes() -> str:
    """The first image of each class with its mean maps, and more images of each to compare with."""
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
    return figures.row(
        figures.title(
            "Ten classes", "the first test image of each, and the mean activation of all maps"
        )
        + grid(
            mean_columns(),
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


def mean_columns() -> list[Column]:
    """The first image of each class, and its mean map in each of the first layers."""
    columns: list[Column] = [("input", [test.images[index] for index in first_of_class], PIXELS)]
    for layer in layers[:3]:
        means = [
            cache.activations(view.model, index)[layer.name].mean(axis=2)
            for index in first_of_class
        ]
        columns.append((f"mean of {layer.name}", means, Scale.of(np.stack(means))))
    return columns


st.header("Class comparison", anchor=False)
left, middle, right = st.columns(3)
with left:
    class_a, class_b = controls.class_pair()
with middle:
    picked_a = controls.picked_images("images_a", class_a, test.labels)
    picked_b = controls.picked_images("images_b", class_b, test.labels)
with right:
    examples = controls.example_count()
names = CLASS_NAMES[class_a], CLASS_NAMES[class_b]

chosen = [
    index
    for label, picked in ((class_a, picked_a), (class_b, picked_b))
    for index in (picked or cache.class_indices("test", label).tolist())[:examples]
]
comparison()

figures.show(
    cache.kept(ten_classes, "ten classes", view.model.key)
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
        lambda: images.rows_figure(mean_columns(), list(CLASS_NAMES), "Mean of all maps"),
    ),
    (
        "Mean maps (NPZ)",
        "ten_classes.npz",
        lambda: images.arrays_npz({title: np.stack(maps) for title, maps, _ in mean_columns()}),
    ),
    key="download_classes",
)
