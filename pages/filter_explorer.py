"""Every feature map of a layer, and one filter of it in detail (rows S9–S13 of the tutorial)."""

import numpy as np
import streamlit as st

from core import images
from core.images import Scale
from core.network import Layer
from ui import controls, figures, frame, microscope
from ui.downloads import downloads

frame.start_page()
view = frame.view()

# The tutorial shows filter 3 alone, filter 33 outlining the bag, and filter 39 as numbers.
TUTORIAL_FILTERS = (3, 33, 39)
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


@st.fragment
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
        values = maps.ravel()
        downloads(
            (
                "Numbers (CSV)",
                f"{layer.name}_image{view.index}.csv",
                lambda: images.numbers_csv(values).encode(),
            ),
            (
                "Numbers (NPY)",
                f"{layer.name}_image{view.index}.npy",
                lambda: images.numbers_npy(values),
            ),
        )
        return
    chosen = maps[:, :, index]
    scale = all_maps if shared else Scale.of(chosen)
    st.html(
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
    name = f"{layer.name}_image{view.index}"
    downloads(
        (
            "All maps (PNG)",
            f"{name}.png",
            lambda: images.sheet_figure(
                maps, all_maps if shared else None, f"{layer.name}, {view.title}"
            ),
        ),
        (
            "This map (PNG)",
            f"{name}_filter{index}.png",
            lambda: images.map_figure(chosen, scale, f"{layer.name}, filter {index}, {view.title}"),
        ),
        (
            "Numbers (CSV)",
            f"{name}_filter{index}.csv",
            lambda: images.numbers_csv(chosen).encode(),
        ),
        ("Numbers (NPY)", f"{name}_filter{index}.npy", lambda: images.numbers_npy(chosen)),
    )


layer = controls.layer(view.network)
flat = len(layer.output_shape) == 1
# A flat output counts as maps of one cell.
maps = view.activations[layer.name].reshape((1, 1, -1) if flat else layer.output_shape)
all_maps = Scale.of(maps)

what = "units" if flat else "maps"
with st.container(horizontal=True, vertical_alignment="bottom"):
    st.html(figures.title(f"All {maps.shape[2]} {what} of {layer.name}", view.title))
    shared = not flat and controls.shared_scale()
explorer()

notes = figures.note(WHAT_TO_SEE.get(layer.name, "")) + figures.note(tutorial_links())
if not flat:
    mean_map = maps.mean(axis=2)
    mean_scale = Scale.of(mean_map)
    notes += figures.row(
        figures.title(f"Mean of all {maps.shape[2]} maps")
        + figures.picture(mean_map, mean_scale, f"Mean map of {layer.name}", 200),
        figures.colour_bar(mean_scale, "Mean activation over the maps, cell by cell."),
    )
st.html(notes)
# Nothing of it shows; above the sheet it would only leave gaps.
microscope.provide(view)
