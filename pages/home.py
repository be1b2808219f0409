"""The image's way through the network on one screen (rows S7, S12 and S17 of the tutorial)."""

from functools import partial
from html import escape

import streamlit as st

from core import memo
from core.network import Layer
from core.pictures import download_figures, export, sheets
from core.pictures.scales import PIXELS, Scale
from ui import markup, state
from ui.downloads import downloads
from ui.view import View

STRONGEST = 6
# On a laptop the whole way fits one screen, on a projector the pictures grow.
LARGE, SMALL = "clamp(100px, 8.5vw, 180px)", "clamp(34px, 2.8vw, 60px)"
WORDS = {
    "Conv2D": "{filters} kernels slide over all maps before it; each writes one map, bright where "
    "its pattern is. ReLU turns what is below 0 into 0.",
    "MaxPooling2D": "Keeps the largest value of each small window: the same patterns, their exact "
    "place forgotten.",
    "AveragePooling2D": "Keeps the mean of each small window: smaller, smoother maps.",
    "Flatten": "All maps in one row of {filters} numbers, position by position.",
    "Dense": "Each of the {filters} numbers is a weighted sum of all numbers before it.",
}


def page(view: View) -> None:
    """Draw the page."""
    st.subheader("What the network sees", anchor=False)
    markup.show(
        markup.note(
            "The way of one image through the network. Each layer: the mean of all its maps, "
            f"large, and the {STRONGEST} maps with the highest peaks; click one to open its "
            "filter. Dark is 0, yellow is the picture's own largest value."
        )
        + memo.kept(partial(layer_overview, view), "layer overview", view.model.key, view.index)
        + markup.note(
            "What to see: the first convolution outlines the garment and finds edges; pooling "
            "keeps and sharpens the strongest; the second convolution grows abstract, its maps "
            "show where a combination of edges was found. "
            + markup.link(
                state.address("", image=state.DEFAULT_IMAGE),
                f"As in the tutorial: test image {state.DEFAULT_IMAGE}, a bag",
            )
            + f". {markup.NUMBERS_DIFFER}"
        )
    )
    downloads(
        (
            "All outputs (NPZ)",
            f"outputs_image{view.index}.npz",
            lambda: export.arrays_npz(dict(view.activations)),
        ),
        (
            "Mean maps (PNG)",
            f"mean_maps_image{view.index}.png",
            lambda: download_figures.rows_figure(
                mean_columns(view), [view.title], "Mean of all maps of a layer"
            ),
        ),
    )


def words(layer: Layer) -> str:
    """Return one sentence on what a layer does."""
    text = WORDS.get(layer.kind, "Changes the numbers, not the shape, of what comes before it.")
    return text.format(filters=layer.output_shape[-1])


def spatial_step(view: View, layer: Layer) -> str:
    """Return a layer with feature maps as HTML: its mean map, its strongest maps, each a link."""
    maps = view.activations[layer.name]
    mean_map = maps.mean(axis=2)
    strongest = sheets.strongest(maps, STRONGEST)
    links = "".join(
        f'<a href="{escape(filter_address(layer, index))}" target="_self" '
        f'title="Open filter {index}">'
        + markup.picture(
            maps[:, :, index], Scale.of(maps[:, :, index]), f"Map {index} of {layer.name}", SMALL
        )
        + f"{index}</a>"
        for index in strongest
    )
    return (
        markup.title(layer.name, markup.shape(layer.output_shape))
        + markup.picture(mean_map, Scale.of(mean_map), f"Mean map of {layer.name}", LARGE)
        + f'<div class="maps">{links}</div>'
        + markup.note(words(layer))
    )


def filter_address(layer: Layer, index: int) -> str:
    """Return where a filter of a layer is explored; a unit pinned in another layer is not kept."""
    return state.address("filter_explorer", layer=layer.name, filter=index, row="", col="")


def microscope_link(layer: Layer) -> str:
    """Return a link to where each unit of a layer is explained."""
    return markup.link(filter_address(layer, 0), "Unit by unit")


def flat_step(view: View, layer: Layer) -> str:
    """Return a layer whose output is a row of numbers as HTML: a strip of cells."""
    values = view.activations[layer.name]
    columns = 64 if len(values) >= 512 else 32
    strip = sheets.tile(values.reshape(1, 1, -1), columns)
    scale = Scale.of(values)
    return (
        markup.title(layer.name, f"{len(values)} numbers")
        + markup.picture(
            strip, scale, f"The {len(values)} outputs of {layer.name}, {columns} in a row", "100%"
        )
        + markup.colour_bar(scale, f"{columns} in a row. {words(layer)} {microscope_link(layer)}")
    )


def mean_columns(view: View) -> list[download_figures.Column]:
    """Return the input and each layer's mean map, for a file."""
    columns: list[download_figures.Column] = [("input", [view.image], PIXELS)]
    for layer in view.network.spatial_layers:
        mean_map = view.activations[layer.name].mean(axis=2)
        columns.append((layer.name, [mean_map], Scale.of(mean_map)))
    return columns


def last_step(view: View, layer: Layer) -> str:
    """Return the class probabilities as HTML."""
    return (
        markup.title(layer.name, "10 probabilities")
        + markup.probability_bars(view.probabilities, view.label)
        + markup.note(
            "Softmax turns the last sums into shares of 1; the largest is the answer. "
            + microscope_link(layer)
        )
    )


def layer_overview(view: View) -> str:
    """Return all steps from the input to the probabilities, as HTML."""
    inner = view.network.layers[:-1]
    steps = [
        markup.title("Input", "28×28×1")
        + markup.picture(view.image, PIXELS, view.title, LARGE)
        + markup.note(
            f"{view.title[0].upper()}{view.title[1:]}. One brightness a pixel, from 0 (black) to "
            "255, divided by 255."
        ),
        *(spatial_step(view, layer) for layer in inner if len(layer.output_shape) == 3),
    ]
    flat = [
        *(flat_step(view, layer) for layer in inner if len(layer.output_shape) == 1),
        last_step(view, view.network.layers[-1]),
    ]
    return (
        '<div class="way">'
        + "".join(f'<div class="step">{step}</div>' for step in steps)
        + "</div>"
        + '<div class="way wide">'
        + "".join(f'<div class="step">{step}</div>' for step in flat)
        + "</div>"
    )


if __name__ == "__main__":  # see docs/architecture.md, "Started as a plain script"
    import pages

    pages.run()
