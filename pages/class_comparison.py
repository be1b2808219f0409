"""One filter's answer to two classes, side by side (rows S14–S16 of the tutorial)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from core import cache, memo
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights
from core.evidence.separation import Separation
from core.network import Layer
from core.pictures import download_figures, export
from core.pictures.download_figures import Column
from core.pictures.scales import PIXELS, FloatArray, Scale
from ui import controls, markup, state
from ui.charts import class_comparison as charts
from ui.charts.class_comparison import MapPair
from ui.charts.separation_chart import evidence_and_effect_chart
from ui.charts.separation_words import explanation, verdict
from ui.components import microscope
from ui.downloads import File, downloads
from ui.fragments import fragment
from ui.markup import class_label
from ui.view import View, measured

PARTS = ("one filter", "all filters", "ten classes")
# The tutorial takes its examples from the first 40 test images.
FIRST_IMAGES = 40
TUTORIAL_FILTER = 10
BEST_SHOWN = 4
LAYERS_OF_TEN_CLASSES = 3
# The URL parameters of what is compared, besides the filter.
COMPARED = ("compare", "class_a", "class_b", "images_a", "images_b", "examples")
MEAN_WORDS = (
    "What to see: in the mean over all maps the garment is still itself after the first "
    "convolution; after the second it is a blur of where many filters answered."
)
NO_FILTERS = (
    "Only a convolution has filters of its own: choose one above to see which of them tell the two "
    "classes apart."
)
SAME_CLASS = "Both classes are {name}: choose two different classes above to compare them."


def page(view: View) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.header("Class comparison", anchor=False, width="content")
        part = controls.panel(PARTS, key="compare")
    if part == "ten classes":
        ten_classes(view)
    else:
        two_classes(view, part)


@dataclass(frozen=True)
class Comparison:
    """The choices of the page: two classes and their images.

    Attributes:
        view: The model and the image in view.
        first, second: The two classes, labels 0–9.
        images: The test images of both classes whose maps are compared, first the first class's;
            none where all filters are.
    """

    view: View
    first: int
    second: int
    images: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """The names of both classes."""
        return CLASS_NAMES[self.first], CLASS_NAMES[self.second]

    @property
    def rows(self) -> list[str]:
        """The number and the class of each image."""
        labels = cache.split("test").labels
        return [f"{image} {CLASS_NAMES[labels[image]]}" for image in self.images]

    @property
    def max_filters(self) -> int:
        """The number of filters of the layer that has most."""
        return max(layer.output_shape[2] for layer in self.view.network.spatial_layers)


def two_classes(view: View, part: str) -> None:
    """Draw the choice of two classes and, below it, their comparison."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first, second = controls.class_pair()
        compared = chosen_images(first, second) if part == "one filter" else ()
    comparison = Comparison(view, first, second, compared)
    layer = controls.layer(view.network) if part == "all filters" else None
    if first == second:
        st.info(SAME_CLASS.format(name=class_label(first)))
        markup.show(tutorial_note())
    elif layer is None:
        one_filter(comparison)
    else:
        all_filters(comparison, layer)
    microscope.provide_code()


def chosen_images(first: int, second: int) -> tuple[int, ...]:
    """Return the test images to compare, those of the first class first; draw their controls."""
    labels = cache.split("test").labels
    picked_first = controls.picked_images("images_a", first, labels)
    picked_second = controls.picked_images("images_b", second, labels)
    count = controls.example_count()
    return tuple(
        index
        for label, picked in ((first, picked_first), (second, picked_second))
        for index in (picked or cache.class_indices("test", label).tolist())[:count]
    )


@fragment
def one_filter(comparison: Comparison) -> None:
    """Draw a filter's maps of the images of both classes; the browser changes the filter."""
    view, first, second = comparison.view, comparison.first, comparison.second
    index = controls.chosen_filter(comparison.max_filters)
    insights, problem = measured(view)
    microscope.filter_slider(index, comparison.max_filters, tells=False)
    microscope.filter_pair(
        memo.once(
            partial(pair_data, comparison, insights),
            *("pair", view.model.key, *comparison.images, first, second, problem),
        )
    )
    markup.show((markup.note(problem) if problem else "") + tutorial_note())
    name = f"classes{first}_{second}_filter{index}"
    downloads(
        (
            "Figure (PNG)",
            f"{name}.png",
            lambda: download_figures.rows_figure(
                pair_columns(comparison, index), comparison.rows, f"Filter {index}"
            ),
        ),
        (
            "Maps (NPZ)",
            f"{name}.npz",
            lambda: export.arrays_npz(
                {title: np.stack(maps) for title, maps, _ in pair_columns(comparison, index)}
            ),
        ),
    )


def pair_data(comparison: Comparison, insights: Insights | None) -> bytes:
    """Return the maps of all filters for the images of both classes, for the browser."""
    view, layers = comparison.view, comparison.view.network.spatial_layers
    classes = [comparison.first, comparison.second]
    means = insights.class_means if insights else {}
    return charts.pair_data(
        cache.split("test").images[list(comparison.images)],
        comparison.rows,
        {
            layer.name: [outputs(view, index, layer) for index in comparison.images]
            for layer in layers
        },
        {layer.name: means[layer.name][classes] for layer in layers if layer.name in means},
        comparison.names,
    )


def outputs(view: View, index: int, layer: Layer) -> FloatArray:
    """Return a layer's maps (h, w, n) of a test image."""
    return cache.activations(view.model, index)[layer.name]


def pair_columns(comparison: Comparison, filter_index: int) -> list[Column]:
    """Return the input and the filter's map in each layer that has it, for each image."""
    view, test = comparison.view, cache.split("test")
    columns: list[Column] = [("input", [test.images[index] for index in comparison.images], PIXELS)]
    for layer in view.network.spatial_layers:
        if filter_index < layer.output_shape[2]:
            maps = [outputs(view, index, layer)[:, :, filter_index] for index in comparison.images]
            columns.append((layer.name, maps, Scale.of(np.stack(maps))))
    return columns


def all_filters(comparison: Comparison, layer: Layer) -> None:
    """Draw how well each filter separates the two classes, and the effect of its absence."""
    insights, problem = measured(comparison.view)
    if layer.kind != "Conv2D":
        problem = NO_FILTERS
    first, second = comparison.names
    title = markup.title(
        f"What tells {first} and {second} apart",
        "what each filter says by itself, and below it what the network loses without it",
    )
    if problem or insights is None:
        markup.show(title + markup.note(problem) + tutorial_note())
    else:
        markup.show(title)
        evidence_and_effect(comparison, layer)
        markup.show(tutorial_note())


@fragment
def evidence_and_effect(comparison: Comparison, layer: Layer) -> None:
    """Draw each filter's AUC above what its absence costs, the chosen filter and the best ones.

    Only this runs again when the filter changes.
    """
    view, names = comparison.view, comparison.names
    index = controls.chosen_filter(comparison.max_filters)
    microscope.filter_slider(index, comparison.max_filters, tells=True)
    separation = cache.separation(view.model, layer.name, comparison.first, comparison.second)
    filters = len(separation.auc)

    def choose_clicked_filter() -> None:
        for column in controls.clicked("separation", "picked"):
            clicked = column.get("filter")
            if type(clicked) is int and 0 <= clicked < filters:
                state.set_parameters(filter=clicked)

    words = re.sub("<[^>]*>", "", verdict(separation, names))
    st.vega_lite_chart(
        evidence_and_effect_chart(separation, names, index),
        key="separation",
        on_select=choose_clicked_filter,
        height=420,
        alt=f"Each filter's AUC and drop in pair accuracy. {words}",
    )
    best = separation.strongest[:BEST_SHOWN]
    key = view.model.key, layer.name, comparison.first, comparison.second
    if index < filters:
        markup.show(
            memo.kept(
                lambda: charts.chosen_filter(
                    layer.name, separation, class_maps(comparison, layer), index, names
                ),
                *("class maps", *key, index),
            )
        )
        shown = [index, *(other for other in best if other != index)]
    else:
        markup.show(markup.note(f"{escape(layer.name)} has no filter {index}: choose one above."))
        shown = best
    # An element of its own, because the browser keeps it while only the filter changes.
    markup.show(
        memo.kept(
            lambda: (
                explanation(layer.name, separation, names)
                + charts.best_filters(
                    layer.name, separation, class_maps(comparison, layer), best, names
                )
            ),
            *("evidence", *key),
        )
    )
    downloads(*separation_files(comparison, layer, separation, shown), key="download_separation")


def class_maps(comparison: Comparison, layer: Layer) -> MapPair:
    """Return the mean map of each filter over all test images of either class.

    Looked up each time: a fragment lives as long as its session, and would keep the arrays.
    """
    insights = cache.insights(comparison.view.model)
    assert insights is not None, "the page draws this part only for a model with insights"
    maps = insights.filters[layer.name].class_maps
    return maps[comparison.first].astype(np.float32), maps[comparison.second].astype(np.float32)


def separation_files(
    comparison: Comparison, layer: Layer, separation: Separation, shown: Sequence[int]
) -> list[File]:
    """Return the table of the layer's filters and the average maps, as files."""
    first, second = comparison.first, comparison.second
    name = f"{markup.file_name(layer.name)}_classes{first}_{second}"
    return [
        ("Separation (CSV)", f"{name}.csv", lambda: separation_csv(separation)),
        (
            "Average maps (PNG)",
            f"{name}_maps.png",
            lambda: download_figures.rows_figure(
                charts.map_columns(class_maps(comparison, layer), shown, comparison.names),
                [f"filter {index}, AUC {separation.auc[index]:.3f}" for index in shown],
                f"Average maps of {layer.name}",
            ),
        ),
        (
            "Average maps (NPZ)",
            f"{name}_maps.npz",
            lambda: export.arrays_npz(
                dict(
                    zip(
                        (f"class_{first}", f"class_{second}"),
                        class_maps(comparison, layer),
                        strict=True,
                    )
                )
            ),
        ),
    ]


def separation_csv(separation: Separation) -> bytes:
    """Return the layer's filters, a row each, as a CSV file."""
    columns = ("filter", "auc", "low", "high", "pair accuracy without", "drop in points")
    without = (separation.right - separation.lost) / separation.images
    values = (separation.auc, separation.low, separation.high, without, separation.drop)
    order = separation.falling
    sorted_values = (column[order].tolist() for column in values)
    return export.table_csv(columns, list(zip(order, *sorted_values, strict=True)))


def ten_classes(view: View) -> None:
    """Draw the mean maps of ten classes, and more images of each class to compare with."""
    markup.show(
        memo.kept(partial(ten_classes_html, view), "ten classes", view.model.key)
        + markup.note(MEAN_WORDS)
        + tutorial_note()
    )
    downloads(
        (
            "Ten classes (PNG)",
            "ten_classes.png",
            lambda: download_figures.rows_figure(
                mean_columns(view), list(CLASS_NAMES), "Mean of all maps"
            ),
        ),
        (
            "Mean maps (NPZ)",
            "ten_classes.npz",
            lambda: export.arrays_npz(
                {title: np.stack(maps) for title, maps, _ in mean_columns(view)}
            ),
        ),
        key="download_classes",
    )


def ten_classes_html(view: View) -> str:
    """Return the first image of each class with its mean maps, and other images of each class."""
    test = cache.split("test")
    first_labels = test.labels[:FIRST_IMAGES]
    return markup.row(
        markup.title(
            "Ten classes", "the first test image of each, and the mean activation of all maps"
        )
        + charts.picture_table(
            mean_columns(view),
            [f"{class_label(label)} ({index})" for label, index in enumerate(first_of_classes())],
            64,
        ),
        markup.title(
            f"All of the first {FIRST_IMAGES} test images",
            "to compare with: “one filter” takes their numbers",
        )
        + charts.images_of_classes(test.images[:FIRST_IMAGES], first_labels),
    )


def mean_columns(view: View) -> list[Column]:
    """Return the first image of each class, and its mean map in each of the first layers."""
    indices = first_of_classes()
    pixels = cache.split("test").images
    columns: list[Column] = [("input", [pixels[index] for index in indices], PIXELS)]
    for layer in view.network.spatial_layers[:LAYERS_OF_TEN_CLASSES]:
        means = [outputs(view, index, layer).mean(axis=2) for index in indices]
        columns.append((f"mean of {layer.name}", means, Scale.of(np.stack(means))))
    return columns


def first_of_classes() -> list[int]:
    """Return the first test image of each class."""
    return [int(cache.class_indices("test", label)[0]) for label in range(len(CLASS_NAMES))]


def tutorial_note() -> str:
    """Return the link to the tutorial's own comparison, HTML."""
    target = state.address(
        "class_comparison",
        filter=TUTORIAL_FILTER,
        **dict.fromkeys(COMPARED, ""),
    )
    return markup.note(
        markup.link(target, f"As in the tutorial: classes 0 and 9, filter {TUTORIAL_FILTER}")
        + f". {markup.NUMBERS_DIFFER}"
    )


if __name__ == "__main__":  # see docs/architecture.md, "Started as a plain script"
    import pages

    pages.run()
