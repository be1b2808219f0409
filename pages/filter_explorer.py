"""Every feature map of a layer, and one filter of it in detail (rows S9–S13 of the tutorial)."""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import streamlit as st

from core import cache, images
from core.dataset import CLASS_NAMES
from core.images import PIXELS, FloatArray, Scale, sheet_uri
from core.insights import QUANTILES, Insights
from core.keras_file import ModelError
from core.network import Layer, Network
from ui import controls, figures, frame, microscope, serving
from ui.contact_sheet import COLUMNS, contact_sheet
from ui.downloads import downloads
from ui.epoch_player import Film, epoch_player, epoch_sheet

frame.start_page()
view = frame.view()

# The tutorial shows filter 3 alone, filter 33 outlining the bag, and filter 39 as numbers.
TUTORIAL_FILTERS = (3, 33, 39)
NO_FILTERS = (
    "Only a convolution has filters of its own: choose one above to see which of the 10,000 test "
    "images excite a filter most."
)
WHAT_TO_SEE = {
    "conv_layer_1": "The first convolution outlines: most maps are bright along edges of one "
    "direction, or copy the garment or its background. Compare maps: one that reads vertical edges "
    "is dark where another, reading horizontal ones, is bright.",
    "pool_layer_2": "Pooling keeps the strongest value of each 2×2 block and drops the rest: the "
    "same outlines at half the size, thicker and brighter on average.",
    "conv_layer_3": "The second convolution combines all maps before it. Its own maps grow "
    "abstract: a few cells are bright, where a combination of edges was found, and many are 0.",
    "pool_layer_4": "5×5 cells are left. They hardly say where, but still say what: which filter "
    "found its combination, and in which corner.",
    "flatten_layer_5": "The same values as before, now in one row: position by position, and for "
    "each position all maps. Nothing is computed.",
    "dense_layer_6": "Each unit weighs all 1,600 values. For one image about two thirds of the "
    "units are 0; which ones are not differs from class to class.",
    "dense_layer_7": "One unit a class. Softmax turns the ten sums (logits) into probabilities; "
    "the slider under them shows how one logit takes from all others.",
}


def tutorial_links() -> str:
    """Links to the tutorial's own choices: its image, its layer, and three filters."""
    layers = view.network.spatial_layers or view.network.layers
    links = [
        figures.link(
            controls.address(
                "filter_explorer",
                image=controls.DEFAULT_IMAGE,
                layer=layers[0].name,
                filter=index,
            ),
            f"filter {index}",
        )
        for index in TUTORIAL_FILTERS
    ]
    return f"As in the tutorial, the bag: {', '.join(links)}. {figures.NUMBERS_DIFFER}"


def kernel_figure(layer: Layer, index: int) -> str:
    """The kernel and bias that made a map, or what a layer without kernels did instead."""
    if layer.kind != "Conv2D":
        return figures.note(
            f"{layer.kind} has no kernel: map {index} is computed from map {index} of the layer "
            "before it."
        )
    kernel = layer.weights["kernel"][:, :, :, index]
    bias = float(layer.weights["bias"][index]) if "bias" in layer.weights else 0.0
    scale = Scale.centred(kernel)
    height, width, channels = kernel.shape
    if channels == 1:
        picture = figures.kernel_table(kernel[:, :, 0], scale)
        words = "Blue weights count against, red ones for; white is 0."
    else:
        picture = figures.picture(
            images.tile(kernel, 16), scale, f"The {channels} slices of kernel {index}", 16 * 18
        )
        words = (
            f"One {height}×{width} slice for each of the {channels} maps of the layer before, "
            f"16 in a row. Blue counts against, red for; the ends are ∓{scale.high:.3g}."
        )
    return (
        figures.title("Kernel", f"{height}×{width}×{channels}, bias {bias:+.3f}")
        + picture
        + figures.note(words)
    )


def background_note(layer: Layer, index: int) -> str:
    """What the flat part of a map is: the first convolution's answer to black pixels."""
    if layer is not view.network.layers[0] or layer.kind != "Conv2D" or layer.activation != "relu":
        return ""
    bias = float(layer.weights["bias"][index]) if "bias" in layer.weights else 0.0
    return (
        f" A black background pixel is 0, so there the map shows ReLU(bias) = {max(bias, 0.0):.3f}."
    )


def layer_maps() -> FloatArray:
    """The chosen layer's output for the image in view, as maps (h, w, n); of one cell each if it is
    flat."""
    # Looked up each time: this page's fragment lives on, and would keep the array.
    shape = (1, 1, -1) if flat else layer.output_shape
    return view.activations[layer.name].reshape(shape)


def as_numbers(index: int) -> str:
    """The map's values, and the kernel that made them."""
    chosen = layer_maps()[:, :, index]
    return (
        figures.row(
            figures.title(f"Map {index} of {layer.name}", figures.shape(chosen.shape))
            + figures.facts(
                [
                    ("smallest", f"{chosen.min():.4f}"),
                    ("mean", f"{chosen.mean():.4f}"),
                    ("largest (peak)", f"{chosen.max():.4f}"),
                    ("cells above 0", f"{np.mean(chosen > 0):.1%}"),
                ]
            )
            + figures.note(background_note(layer, index)),
            kernel_figure(layer, index),
        )
        + figures.title(f"Map {index} as numbers", "cells above 0 are marked; .31 is 0.31")
        + figures.number_table(chosen, figures.short_number)
    )


def map_file(index: int) -> bytes:
    """The map as a figure."""
    chosen = layer_maps()[:, :, index]
    scale = Scale.of(layer_maps()) if shared else Scale.of(chosen)
    return images.map_figure(chosen, scale, f"{layer.name}, filter {index}, {view.title}")


def sheet_file() -> bytes:
    """All maps as a figure."""
    scale = Scale.of(layer_maps()) if shared else None
    return images.sheet_figure(layer_maps(), scale, f"{layer.name}, {view.title}")


def numbers(index: int) -> None:
    """The map in numbers, and the files of it."""
    figures.show(
        cache.kept(
            lambda: as_numbers(index), "numbers", view.model.key, view.index, layer.name, index
        )
    )
    name = f"{layer.name}_image{view.index}"
    one = f"{name}_filter{index}"
    downloads(
        ("All maps (PNG)", f"{name}.png", sheet_file),
        ("This map (PNG)", f"{one}.png", lambda: map_file(index)),
        (
            "Numbers (CSV)",
            f"{one}.csv",
            lambda: images.numbers_csv(layer_maps()[:, :, index]).encode(),
        ),
        ("Numbers (NPY)", f"{one}.npy", lambda: images.numbers_npy(layer_maps()[:, :, index])),
    )


def responses(insights: Insights, index: int) -> str:
    """How to read the top images, and how the filter answers to each class."""
    found = insights.filters[layer.name]
    means = insights.class_means[layer.name][:, index]
    best = int(np.argmax(means))
    selectivity = insights.selectivity(layer.name)
    return figures.note(
        "The nine images with the highest peak, under each its class and the peak (activation, "
        "no unit). Outlined, and enlarged below: all that the unit with the peak can see. "
        "Look for what the nine have in common there. Click one to open it, and that unit, in "
        "the microscope above."
    ) + figures.halves(
        figures.title("Mean response to the images of each class", "activation")
        + figures.class_quantiles(
            found.response_quantiles[index],
            f"Quantiles of the mean response to each class; highest mean {CLASS_NAMES[best]}",
        )
        + figures.note(
            "Of the 1,000 test images of a class, the box holds the middle half, the line all "
            "but the lowest and the highest twentieth; the mark and the number are the median. "
            "A filter that tells a class apart has a box there that the others do not reach."
        ),
        figures.title("What that says")
        + figures.facts(
            [
                ("highest mean response", f"{CLASS_NAMES[best]}, {means[best]:.3f}"),
                ("selectivity for it", f"{selectivity[index]:.2f}"),
            ]
        )
        + figures.title(f"In all of {layer.name}")
        + figures.facts(
            [
                ("dead filters", in_words(np.flatnonzero(found.dead).tolist())),
                (
                    "near-duplicates",
                    in_words([f"{one} and {other}" for one, other in found.duplicate_pairs]),
                ),
                ("most selective", in_words(np.argsort(-selectivity)[:5].tolist())),
            ]
        )
        + figures.note(
            "Selectivity is (best class's mean − mean of the other nine) ÷ their sum: 0 where "
            "all classes get the same, 1 where only one gets any. A dead filter is 0 "
            "everywhere on all 10,000 images; near-duplicates correlate above 0.95 there."
        ),
    )


def top_images(index: int) -> None:
    """The test images that excite a filter most, and how it answers to each class."""
    if layer.kind != "Conv2D":
        figures.show(figures.note(NO_FILTERS))
        return
    insights, problem = frame.measured(view)
    if insights is None:
        figures.show(figures.note(problem))
        return
    test = cache.split("test")
    found = insights.filters[layer.name]
    tops = found.top_images[index].tolist()
    places = found.top_positions[index].tolist()
    classes = [CLASS_NAMES[test.labels[image]] for image in tops]
    peaks = found.top_values[index].tolist()
    captions = [f"{kind} {peak:.3f}" for kind, peak in zip(classes, peaks, strict=True)]
    fields = [
        view.network.receptive_field(layer.name, *place).clip(*view.image.shape) for place in places
    ]

    def pick(image: int) -> None:
        controls.choose(image=image)
        controls.pin(*places[tops.index(image)])

    figures.show(
        figures.title(f"What excites filter {index} of {layer.name} most", "of 10,000 test images")
    )
    if contact_sheet(
        test.images[tops],
        tops,
        [f"{kind}, peak {peak:.3f}" for kind, peak in zip(classes, peaks, strict=True)],
        view.index,
        key="top_images",
        on_pick=pick,
        side=92,
        captions=captions,
        fields=fields,
        sheet=cache.kept(
            lambda: sheet_uri(np.moveaxis(test.images[tops], 0, 2), COLUMNS, PIXELS),
            "top images",
            view.model.key,
            layer.name,
            index,
        ),
    ):
        st.rerun()
    figures.show(
        cache.kept(
            lambda: responses(insights, index), "responses", view.model.key, layer.name, index
        )
    )
    name = f"{layer.name}_filter{index}"
    downloads(
        (
            "Top images (PNG)",
            f"{name}_top.png",
            lambda: images.rows_figure(
                [
                    ("image", list(test.images[tops]), PIXELS),
                    (
                        "receptive field",
                        [
                            field.of(test.images[top])
                            for top, field in zip(tops, fields, strict=True)
                        ],
                        PIXELS,
                    ),
                ],
                captions,
                f"What excites filter {index} of {layer.name} most",
            ),
        ),
        (
            "Top images (CSV)",
            f"{name}_top.csv",
            lambda: images.table_csv(
                ("image", "class", "peak", "row", "column"),
                [
                    (top, kind, peak, *place)
                    for top, kind, peak, place in zip(tops, classes, peaks, places, strict=True)
                ],
            ),
        ),
        (
            "Responses (CSV)",
            f"{name}_responses.csv",
            lambda: images.table_csv(
                ("class", *(f"{quantile:.0%} below" for quantile in QUANTILES), "mean"),
                [
                    (kind, *quantiles, mean)
                    for kind, quantiles, mean in zip(
                        CLASS_NAMES,
                        found.response_quantiles[index].tolist(),
                        insights.class_means[layer.name][:, index].tolist(),
                        strict=True,
                    )
                ],
            ),
        ),
    )


def in_words(filters: Sequence[object]) -> str:
    """Filter numbers, or that there are none."""
    return ", ".join(map(str, filters)) or "none"


def epochs(index: int) -> None:
    """The kernel and the map as they were at each saved epoch."""
    try:
        saved = cache.checkpoints(view.model)
        outputs, probabilities = cache.epoch_outputs(view.model, view.index, layer.name)
    except ModelError as error:
        figures.show(figures.note(escape(str(error))))
        return
    insights, _ = frame.measured(view)
    key = view.model.key, layer.name, index
    films = [cache.once(lambda: map_film(outputs[..., index], index), "map film", view.index, *key)]
    if layer.kind == "Conv2D":
        films.insert(0, cache.once(lambda: kernel_film(saved.values(), index), "kernel film", *key))
    figures.show(figures.title(f"Filter {index} of {layer.name}, as the network learned"))
    epoch_player(
        view,
        films,
        list(saved),
        probabilities,
        insights,
        index,
    )
    figures.show(figures.title(f"All {count} maps of {layer.name} at that epoch"))
    epoch_sheet(
        cache.epoch_sheet(view.model, view.index, layer.name), layer.output_shape, len(saved)
    )
    figures.show(
        figures.note(
            "Each picture, and each map of the sheet, has one colour scale for all epochs, so what "
            "changes is the network. "
            "Epoch 0 is the network before training: its kernels are random, and its maps already "
            "show edges, for any small kernel does. <b>Look for</b> when the map takes the form "
            "that it keeps, and whether the prediction settles before or after it."
        )
    )
    name = f"{layer.name}_filter{index}_image{view.index}_epochs"
    downloads(
        (
            "All epochs (PNG)",
            f"{name}.png",
            lambda: images.rows_figure(
                [(film.title, list(film.pictures), film.scale) for film in films],
                [f"epoch {epoch}" for epoch in saved],
                f"Filter {index} of {layer.name}, {view.title}",
            ),
        ),
        (
            "All epochs (NPZ)",
            f"{name}.npz",
            lambda: images.arrays_npz(
                {film.title: film.pictures for film in films} | {"epochs": np.array(list(saved))}
            ),
        ),
    )


def kernel_film(networks: Iterable[Network], index: int) -> Film:
    """The filter's kernel in each network, its slices side by side."""
    kernels = np.stack(
        [network.layer(layer.name).weights["kernel"][..., index] for network in networks]
    )
    scale = Scale.centred(kernels)
    if kernels.shape[3] == 1:
        return Film("Kernel", "Weights: blue against, red for.", kernels[..., 0], scale, 120)
    tiled = np.stack([images.tile(kernel, 16) for kernel in kernels])
    words = f"Weights of the {kernels.shape[3]} slices, 16 in a row: blue against, red for."
    return Film("Kernel", words, tiled, scale, 288)


def map_film(maps: FloatArray, index: int) -> Film:
    """A filter's maps (epochs, height, width)."""
    words = "Activation, for the image in view."
    return Film(f"Map {index}", words, maps.copy(), Scale.of(maps), 200)


def notes() -> str:
    """What to see in the layer, and the mean of its maps."""
    words = figures.note(WHAT_TO_SEE.get(layer.name, "")) + figures.note(tutorial_links())
    if flat:
        return words
    mean_map = layer_maps().mean(axis=2)
    scale = Scale.of(mean_map)
    return words + figures.row(
        figures.title(f"Mean of all {count} maps")
        + figures.picture(mean_map, scale, f"Mean map of {layer.name}", 200),
        figures.colour_bar(scale, "Mean activation over the maps, cell by cell."),
    )


PANELS = {"numbers": numbers, "top images": top_images, "epochs": epochs}


@serving.fragment
def explorer() -> None:
    """All that depends on the filter: only this runs again when it changes."""
    left, right = st.columns([11, 10])
    with right:
        index = controls.filter_index(layer.output_shape[-1])
    pinned = controls.pinned_unit(layer)
    with left:
        microscope.feature_sheet(view, layer, index, pinned, shared)
    with right:
        microscope.microscope(layer)
    if flat:
        name = f"{layer.name}_image{view.index}"
        downloads(
            (
                "Numbers (CSV)",
                f"{name}.csv",
                lambda: images.numbers_csv(layer_maps().ravel()).encode(),
            ),
            ("Numbers (NPY)", f"{name}.npy", lambda: images.numbers_npy(layer_maps().ravel())),
        )
        return
    PANELS[controls.panel(list(PANELS))](index)


layer = controls.layer(view.network)
flat = len(layer.output_shape) == 1
count = layer.output_shape[-1]
what = "units" if flat else "maps"
with st.container(horizontal=True, vertical_alignment="bottom"):
    figures.show(figures.title(f"All {count} {what} of {layer.name}", view.title))
    shared = not flat and controls.shared_scale()
explorer()

figures.show(cache.kept(notes, "notes", view.model.key, view.index, layer.name))
# Nothing of it shows; above the sheet it would only leave gaps.
microscope.provide(view, layer)
