"""Every feature map of a layer, and one filter of it in detail (rows S9–S13 of the tutorial)."""

from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from core import cache, memo
from core.network import Layer, ModelError
from core.pictures import download_figures, export
from core.pictures.download_figures import Column
from core.pictures.scales import FloatArray, Scale
from ui import controls, markup, state
from ui.charts.kernels import kernel_film
from ui.components import microscope
from ui.components.epoch_player import Film, MapFilm, epoch_player, epoch_sheet
from ui.downloads import downloads
from ui.fragments import fragment
from ui.top_images import show_top_images
from ui.view import NO_CHECKPOINTS, View, measured

PANELS = ("numbers", "top images", "epochs")
PANELS_OF_SERVER = ("top images", "epochs")
"""The panels that the server draws for each filter; the browser has all that the others need."""

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


def page(view: View) -> None:
    """Draw the page."""
    layer = controls.layer(view.network)
    flat = len(layer.output_shape) == 1
    count = layer.output_shape[-1]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        markup.show(
            markup.title(f"All {count} {'units' if flat else 'maps'} of {layer.name}", view.title)
        )
        shared_scale = not flat and controls.shared_scale()
    explored = Exploration(view, layer, shared_scale)
    explorer(explored)
    markup.show(
        memo.kept(partial(notes, explored), "notes", view.model.key, view.index, layer.name)
    )
    # Nothing of it shows; above the sheet it would only leave gaps.
    microscope.provide(view, layer)


@dataclass(frozen=True)
class Exploration:
    """The choices of the page: a layer and its colour scale.

    Attributes:
        view: The model and the image in view.
        layer: The layer whose filters, or units, are shown.
        shared_scale: Whether all maps have one colour scale.
    """

    view: View
    layer: Layer
    shared_scale: bool

    @property
    def is_flat(self) -> bool:
        """True if the layer has units and no maps."""
        return len(self.layer.output_shape) == 1

    @property
    def count(self) -> int:
        """The number of filters or units."""
        return self.layer.output_shape[-1]

    @property
    def maps(self) -> FloatArray:
        """The layer's output for the image in view as maps (h, w, n), of one cell each if flat.

        Looked up each time: a fragment lives as long as its session, and would keep the array.
        """
        shape = (1, 1, -1) if self.is_flat else self.layer.output_shape
        return self.view.activations[self.layer.name].reshape(shape)

    @property
    def scale(self) -> Scale | None:
        """The colour scale of all maps; None where each has its own."""
        return Scale.of(self.maps) if self.shared_scale else None

    @property
    def file_name(self) -> str:
        """The layer's name, as a part of a file's name."""
        return markup.file_name(self.layer.name)


@fragment
def explorer(explored: Exploration) -> None:
    """Draw all that depends on the filter: where the server draws it, only this runs again."""
    view, layer = explored.view, explored.layer
    index = controls.chosen_filter(explored.count)
    left, right = st.columns([11, 10])
    panel = "" if explored.is_flat else controls.panel(PANELS)
    with left:
        pinned = controls.pinned_unit(layer)
        microscope.feature_sheet(
            view, layer, index, pinned, explored.shared_scale, panel in PANELS_OF_SERVER
        )
    with right:
        microscope.microscope()
    if explored.is_flat:
        unit_files(explored)
    elif panel == "numbers":
        numbers(explored, index)
    elif panel == "top images":
        show_top_images(view, layer, index)
    else:
        epochs(explored, index)


def unit_files(explored: Exploration) -> None:
    """Draw the files of a flat layer's output."""
    name = f"{explored.file_name}_image{explored.view.index}"
    downloads(
        (
            "Numbers (CSV)",
            f"{name}.csv",
            lambda: export.numbers_csv(explored.maps.ravel()).encode(),
        ),
        ("Numbers (NPY)", f"{name}.npy", lambda: export.numbers_npy(explored.maps.ravel())),
    )


def numbers(explored: Exploration, index: int) -> None:
    """Draw the map in numbers, and its files."""
    microscope.numbers()
    name = f"{explored.file_name}_image{explored.view.index}"
    of_filter = f"{name}_filter{index}"
    downloads(
        ("All maps (PNG)", f"{name}.png", partial(sheet_png, explored)),
        ("This map (PNG)", f"{of_filter}.png", partial(map_png, explored, index)),
        (
            "Numbers (CSV)",
            f"{of_filter}.csv",
            lambda: export.numbers_csv(explored.maps[:, :, index]).encode(),
        ),
        (
            "Numbers (NPY)",
            f"{of_filter}.npy",
            lambda: export.numbers_npy(explored.maps[:, :, index]),
        ),
    )


def sheet_png(explored: Exploration) -> bytes:
    """Return all maps as a figure."""
    title = f"{explored.layer.name}, {explored.view.title}"
    return download_figures.sheet_figure(explored.maps, explored.scale, title)


def map_png(explored: Exploration, index: int) -> bytes:
    """Return one map as a figure."""
    values = explored.maps[:, :, index]
    title = f"{explored.layer.name}, filter {index}, {explored.view.title}"
    return download_figures.map_figure(values, explored.scale or Scale.of(values), title)


def epochs(explored: Exploration, index: int) -> None:
    """Draw the kernel and the map as they were at each saved epoch."""
    view, layer = explored.view, explored.layer
    try:
        saved = list(cache.checkpoints(view.model))
        maps = cache.epoch_maps(view.model, view.index, layer.name) if saved else None
    except ModelError as error:
        markup.show(markup.note(escape(str(error))))
        return
    if maps is None:
        markup.show(markup.note(NO_CHECKPOINTS))
        return
    insights, _ = measured(view)
    kernels = kernel_films(explored, index)
    film = map_film(maps, index)
    markup.show(markup.title(f"Filter {index} of {layer.name}, as the network learned"))
    epoch_player(view, [*kernels, film], saved, maps.probabilities, insights)
    epoch_sheet(maps, f"All {explored.count} maps of {layer.name} at that epoch")
    markup.show(
        markup.note(
            "Each picture, and each map of the sheet, has one colour scale for all epochs, so what "
            "changes is the network. "
            "Epoch 0 is the network before training: its kernels are random, and its maps already "
            "show edges, for any small kernel does. <b>Look for</b> when the map takes the form "
            "that it keeps, and whether the prediction settles before or after it."
        )
    )
    name = f"{explored.file_name}_filter{index}_image{view.index}_epochs"
    downloads(
        (
            "All epochs (PNG)",
            f"{name}.png",
            lambda: download_figures.rows_figure(
                epoch_columns(explored, index, film),
                [f"epoch {epoch}" for epoch in saved],
                f"Filter {index} of {layer.name}, {view.title}",
            ),
        ),
        (
            "All epochs (NPZ)",
            f"{name}.npz",
            lambda: export.arrays_npz(
                {
                    title: np.stack(pictures)
                    for title, pictures, _ in epoch_columns(explored, index, film)
                }
                | {"epochs": np.array(saved)}
            ),
        ),
    )


def kernel_films(explored: Exploration, index: int) -> list[Film]:
    """Return a convolution's kernel epoch by epoch; nothing for another layer."""
    view, layer = explored.view, explored.layer
    if layer.kind != "Conv2D":
        return []

    def film() -> Film:
        networks = cache.checkpoints(view.model).values()
        weights = [network.layer(layer.name).weights["kernel"][..., index] for network in networks]
        return kernel_film(np.stack(weights))

    return [memo.once(film, "kernel film", view.model.key, layer.name, index)]


def map_film(maps: cache.EpochMaps, index: int) -> MapFilm:
    """Return a filter's maps, whose pictures the sheet has."""
    words = "Activation, for the image in view."
    return MapFilm(f"Map {index}", words, index, maps.shape[1:3], maps.scales[index], 200)


def epoch_columns(explored: Exploration, index: int, film: MapFilm) -> list[Column]:
    """Return the kernel and the map at each saved epoch, for a file."""
    view, layer = explored.view, explored.layer
    outputs, _ = cache.epoch_outputs(view.model, view.index, layer.name)
    return [
        *(
            (kernel.title, list(kernel.pictures), kernel.scale)
            for kernel in kernel_films(explored, index)
        ),
        (film.title, [output[..., index] for output in outputs], film.scale),
    ]


def notes(explored: Exploration) -> str:
    """Return what to look for in the layer, and the mean of its maps, HTML."""
    words = markup.note(WHAT_TO_SEE.get(explored.layer.name, "")) + markup.note(
        tutorial_links(explored.view)
    )
    if explored.is_flat:
        return words
    mean_map = explored.maps.mean(axis=2)
    scale = Scale.of(mean_map)
    return words + markup.row(
        markup.title(f"Mean of all {explored.count} maps")
        + markup.picture(mean_map, scale, f"Mean map of {explored.layer.name}", 200),
        markup.colour_bar(scale, "Mean activation over the maps, cell by cell."),
    )


def tutorial_links(view: View) -> str:
    """Return links to the tutorial's own choices: its image, its layer, and three filters, HTML."""
    layers = view.network.spatial_layers or view.network.layers
    links = [
        markup.link(
            state.address(
                "filter_explorer",
                image=state.DEFAULT_IMAGE,
                layer=layers[0].name,
                filter=index,
                row="",
                col="",
            ),
            f"filter {index}",
        )
        for index in TUTORIAL_FILTERS
    ]
    return f"As in the tutorial, the bag: {', '.join(links)}. {markup.NUMBERS_DIFFER}"


if __name__ == "__main__":  # see docs/architecture.md, "Started as a plain script"
    import pages

    pages.run()
