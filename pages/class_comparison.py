"""One filter's answer to two classes, side by side (rows S14–S16 of the tutorial)."""

import re
from collections.abc import Callable
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from core import cache
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights
from core.evidence.separation import LEAST_IMAGES, Separation
from core.network import Layer
from core.pictures import download_figures, export
from core.pictures.colours import colour_stops
from core.pictures.download_figures import Column
from core.pictures.scales import PIXELS, Scale, common_scales
from core.pictures.sheets import sheet_uri
from ui import charts, controls, frame, html
from ui.components import microscope
from ui.components.data import as_json
from ui.downloads import File, downloads
from ui.fragments import fragment
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

PARTS = ("one filter", "all filters", "ten classes")
# The tutorial takes its examples from the first 40 test images.
FIRST_IMAGES = 40
TUTORIAL_FILTER = 10
SHOWN_BEST = 4
PAIR_WORDS = (
    "What to see: a filter that outlines vertical edges in one class may answer to horizontal ones "
    "in the other. A map that stays dark in all rows of one class and lights up in the other tells "
    "the two apart, here at least; the bars say whether it does over all test images. “all "
    "filters”, above, says which ones do so best."
)
MEAN_WORDS = (
    "What to see: in the mean over all maps the garment is still itself after the first "
    "convolution; after the second it is a blur of where many filters answered."
)
NO_FILTERS = (
    "Only a convolution has filters of its own: choose one above to see which of them tell the two "
    "classes apart."
)
SAME_CLASS = "Both classes are {name}: choose two different classes above to compare them."
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
            f"<td>{html.picture(arrays[position], scale, f'{row}: {title}', width)}</td>"
            for title, arrays, scale in columns
        )
        for position, row in enumerate(rows)
    )
    ends = "".join(
        f"<td>{html.colour_bar(scale) if scale is not PIXELS else ''}</td>"
        for _, _, scale in columns
    )
    return html.scrolling(
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


def pair_data(insights: Insights | None) -> bytes:
    """Return the maps of all filters for the images of both classes, for the browser."""
    images_alone = {
        "title": "input",
        "src": sheet_uri(np.stack([test.images[index] for index in chosen], 2), 1, PIXELS),
        "count": 1,
        "aspect": 1,
    }
    means = insights.class_means if insights else {}
    return as_json(
        rows=[f"{image} {CLASS_NAMES[test.labels[image]]}" for image in chosen],
        columns=[images_alone, *map(pair_column, layers)],
        responses=[
            {
                "layer": layer.name,
                "means": means[layer.name][[class_a, class_b]].astype(float).round(5).tolist(),
            }
            for layer in layers
            if layer.name in means
        ],
        names=names,
        words=PAIR_WORDS,
    )


def pair_column(layer: Layer) -> dict[str, object]:
    """All maps of a layer for the chosen images, each filter on one scale for all images."""
    maps = [cache.activations(view.model, index)[layer.name] for index in chosen]
    scales = common_scales(maps)
    low = -1 if scales[0].palette == "diverging" else 0
    shares = np.stack(maps, 2) / np.array([scale.high for scale in scales], np.float32)
    height, width, _, count = shares.shape
    sheet = shares.reshape(height, width, -1)
    return {
        "title": layer.name,
        "src": sheet_uri(sheet, count, Scale(low, 1, scales[0].palette)),
        "count": count,
        "aspect": width / height,
        "ends": [[scale.low, scale.high] for scale in scales],
        "colours": ",".join(colour_stops(scales[0].palette)),
    }


def tutorial_note() -> str:
    """The way to the tutorial's own comparison, at the end of each part."""
    return html.note(
        html.link(
            controls.address("class_comparison", filter=TUTORIAL_FILTER),
            f"As in the tutorial: classes 0 and 9, filter {TUTORIAL_FILTER}",
        )
        + f". {html.NUMBERS_DIFFER}"
    )


@fragment
def one_filter() -> None:
    """Draw a filter's maps of the images of both classes; the browser changes the filter."""
    index = controls.chosen_filter(most_filters)
    insights, problem = frame.measured(view)
    microscope.filter_slider(index, most_filters, tells=False)
    microscope.filter_pair(
        cache.once(
            lambda: pair_data(insights),
            "pair",
            view.model.key,
            *chosen,
            class_a,
            class_b,
            problem,
        )
    )
    html.show((html.note(problem) if problem else "") + tutorial_note())
    rows = [f"{image} {CLASS_NAMES[test.labels[image]]}" for image in chosen]
    name = f"classes{class_a}_{class_b}_filter{index}"
    downloads(
        (
            "Figure (PNG)",
            f"{name}.png",
            lambda: download_figures.rows_figure(
                pair_columns(chosen, index), rows, f"Filter {index}"
            ),
        ),
        (
            "Maps (NPZ)",
            f"{name}.npz",
            lambda: export.arrays_npz(
                {title: np.stack(maps) for title, maps, _ in pair_columns(chosen, index)}
            ),
        ),
    )


def all_filters(layer: Layer) -> None:
    """Draw how well each filter separates the two classes, and the effect of its absence."""
    insights, problem = frame.measured(view)
    if layer.kind != "Conv2D":
        problem = NO_FILTERS
    title = html.title(
        f"What tells {names[0]} and {names[1]} apart",
        "what each filter says by itself, and below it what the network loses without it",
    )
    if problem or insights is None:
        html.show(title + html.note(problem) + tutorial_note())
    else:
        html.show(title)
        evidence_and_effect(layer, insights)
        html.show(tutorial_note())


@fragment
def evidence_and_effect(layer: Layer, insights: Insights) -> None:
    """Each filter's AUC above what its absence costs, the chosen filter's maps, words, and the best
    filters' maps; only this runs again when the filter changes."""
    index = controls.chosen_filter(most_filters)
    microscope.filter_slider(index, most_filters, tells=True)
    found = cache.separation(view.model, layer.name, class_a, class_b)

    def pick() -> None:
        """Takes over the filter that was clicked."""
        for column in controls.clicked("separation", "picked"):
            picked = column.get("filter")
            if type(picked) is int and 0 <= picked < len(found.auc):
                controls.keep_filter(picked)

    said = verdict(found, names)
    st.vega_lite_chart(
        charts.separation(found, names, index),
        key="separation",
        on_select=pick,
        height=420,
        alt=f"Each filter's AUC and drop in pair accuracy. {re.sub('<[^>]*>', '', said)}",
    )
    best = found.strongest[:SHOWN_BEST]
    key = view.model.key, layer.name, class_a, class_b

    def pair() -> MapPair:
        maps = insights.filters[layer.name].class_maps
        return maps[class_a].astype(np.float32), maps[class_b].astype(np.float32)

    if index < len(found.auc):
        make = partial(chosen_maps, layer, found, pair, index)
        html.show(cache.kept(make, "class maps", *key, index))
        shown = [index, *(other for other in best if other != index)]
    else:
        html.show(html.note(f"{escape(layer.name)} has no filter {index}: choose one above."))
        shown = best
    # An element of its own, for the browser keeps it while only the filter changes.
    html.show(
        cache.kept(
            lambda: in_words(layer, found, said) + best_maps(layer, found, pair(), best),
            "evidence",
            *key,
        )
    )
    downloads(*separation_files(layer, found, pair, shown), key="download_separation")


def chosen_maps(layer: Layer, found: Separation, pair: Callable[[], MapPair], index: int) -> str:
    """The chosen filter's average maps of both classes, their difference, and its numbers."""
    columns = map_columns(pair(), [index])
    return html.row(
        html.title(f"Filter {index} of {layer.name}", "average map over all test images of a class")
        + grid(columns, ["mean"], WIDTH),
        html.title("What it says, and what it does")
        + html.facts(
            [
                ("AUC", auc_words(found, index)),
                ("drop", drop_words(found, index)),
                ("kind", charts.kind_of(found, index)),
            ]
        )
        + html.note(
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
    """Return the findings of a layer's chart, and how to read it."""
    first, second = (escape(name) for name in names)
    return html.halves(
        html.title("Where evidence and effect disagree")
        + html.note(said)
        + html.note(correlation(found))
        + html.note(
            "<b>Look for</b> filters that separate and are not needed, or are needed and hardly "
            "separate. There are three reasons: other filters say the same; the network uses "
            "<i>where</i> a map is bright, not only how bright it is on average; what a filter "
            "adds to the logits of both classes cancels."
        ),
        html.title("How to read the chart")
        + html.note(
            f"<b>Above</b>, what a filter of {escape(layer.name)} says by itself. AUC is the share "
            f"of pairs, one test image of {first} and one of {second}, in which {first} has the "
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
    return html.title(
        f"Average maps of the best separators in {layer.name}",
        "activation, over all test images of a class",
    ) + html.row(
        average_maps(found, pair, best, names),
        html.note(
            f"The {len(best)} filters with the largest |AUC − 0.5|. Both classes share a filter's "
            "scale, so the rows compare; the difference shows where the evidence lies. Where "
            "several look alike they say the same, and the network may do without one of them."
        ),
    )


def separation_table(found: Separation) -> bytes:
    """The layer's filters, a row each, as a CSV file."""
    columns = ("filter", "auc", "low", "high", "pair accuracy without", "drop in points")
    without = (found.right - found.lost) / found.images
    values = (found.auc, found.low, found.high, without, found.drop)
    sorted_values = (each[found.falling].tolist() for each in values)
    return export.table_csv(columns, list(zip(found.falling, *sorted_values, strict=True)))


def separation_files(
    layer: Layer, found: Separation, pair: Callable[[], MapPair], shown: list[int]
) -> list[File]:
    """The table of the layer's filters and the average maps, as files."""
    name = f"{html.file_name(layer.name)}_classes{class_a}_{class_b}"
    return [
        ("Separation (CSV)", f"{name}.csv", lambda: separation_table(found)),
        (
            "Average maps (PNG)",
            f"{name}_maps.png",
            lambda: download_figures.rows_figure(
                map_columns(pair(), shown),
                [f"filter {index}, AUC {found.auc[index]:.3f}" for index in shown],
                f"Average maps of {layer.name}",
            ),
        ),
        (
            "Average maps (NPZ)",
            f"{name}_maps.npz",
            lambda: export.arrays_npz(
                dict(zip((f"class_{class_a}", f"class_{class_b}"), pair(), strict=True))
            ),
        ),
    ]


def ten_classes() -> str:
    """The first image of each class with its mean maps, and more images of each to compare with."""
    others = "".join(
        '<tr><td class="thumbnails">'
        + "".join(
            "<figure>"
            + html.picture(
                test.images[index], PIXELS, f"Test image {index}, {CLASS_NAMES[label]}", 46
            )
            + f"<figcaption>{index}</figcaption></figure>"
            for index in np.flatnonzero(test.labels[:FIRST_IMAGES] == label).tolist()
        )
        for label in range(len(CLASS_NAMES))
    )
    return html.row(
        html.title(
            "Ten classes", "the first test image of each, and the mean activation of all maps"
        )
        + grid(
            mean_columns(),
            [f"{html.class_label(label)} ({index})" for label, index in enumerate(first_of_class)],
            64,
        ),
        html.title(
            f"All of the first {FIRST_IMAGES} test images",
            "to compare with: “one filter” takes their numbers",
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


with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    st.header("Class comparison", anchor=False, width="content")
    part = controls.panel(PARTS, key="compare")

if part == "ten classes":
    html.show(
        cache.kept(ten_classes, "ten classes", view.model.key)
        + html.note(MEAN_WORDS)
        + tutorial_note()
    )
    downloads(
        (
            "Ten classes (PNG)",
            "ten_classes.png",
            lambda: download_figures.rows_figure(
                mean_columns(), list(CLASS_NAMES), "Mean of all maps"
            ),
        ),
        (
            "Mean maps (NPZ)",
            "ten_classes.npz",
            lambda: export.arrays_npz({title: np.stack(maps) for title, maps, _ in mean_columns()}),
        ),
        key="download_classes",
    )
else:
    most_filters = max(layer.output_shape[2] for layer in layers)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        class_a, class_b = controls.class_pair()
        names = CLASS_NAMES[class_a], CLASS_NAMES[class_b]
        if part == "one filter":
            picked_a = controls.picked_images("images_a", class_a, test.labels)
            picked_b = controls.picked_images("images_b", class_b, test.labels)
            examples = controls.example_count()
            chosen = [
                index
                for label, picked in ((class_a, picked_a), (class_b, picked_b))
                for index in (picked or cache.class_indices("test", label).tolist())[:examples]
            ]
    if part == "all filters":
        layer = controls.layer(view.network)
    if class_a == class_b:
        st.info(SAME_CLASS.format(name=html.class_label(class_a)))
        html.show(tutorial_note())
    elif part == "one filter":
        one_filter()
    else:
        all_filters(layer)
    microscope.provide_code()
