"""Every feature map of a layer, and one filter of it in detail (rows S9–S13 of the tutorial)."""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import streamlit as st

from core import cache
from core.dataset import CLASS_NAMES
from core.evidence.insights import QUANTILES, Insights
from core.network import ModelError, Network
from core.pictures import download_figures, export
from core.pictures.download_figures import Column
from core.pictures.scales import PIXELS, FloatArray, Scale
from core.pictures.sheets import sheet_uri, tile
from ui import controls, frame, html
from ui.components import microscope
from ui.components.contact_sheet import COLUMNS, contact_sheet
from ui.components.epoch_player import Film, MapFilm, epoch_player, epoch_sheet
from ui.downloads import downloads
from ui.fragments import fragment

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
        html.link(
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
    return f"As in the tutorial, the bag: {', '.join(links)}. {html.NUMBERS_DIFFER}"


def layer_maps() -> FloatArray:
    """The chosen layer's output for the image in view, as maps (h, w, n); of one cell each if it is
    flat."""
    # Looked up each time: this page's fragment lives on, and would keep the array.
    shape = (1, 1, -1) if flat else layer.output_shape
    return view.activations[layer.name].reshape(shape)


def map_file(index: int) -> bytes:
    """The map as a figure."""
    chosen = layer_maps()[:, :, index]
    scale = Scale.of(layer_maps()) if shared else Scale.of(chosen)
    return download_figures.map_figure(chosen, scale, f"{layer.name}, filter {index}, {view.title}")


def sheet_file() -> bytes:
    """All maps as a figure."""
    scale = Scale.of(layer_maps()) if shared else None
    return download_figures.sheet_figure(layer_maps(), scale, f"{layer.name}, {view.title}")


def numbers(index: int) -> None:
    """The map in numbers, and the files of it."""
    microscope.numbers()
    name = f"{html.file_name(layer.name)}_image{view.index}"
    one = f"{name}_filter{index}"
    downloads(
        ("All maps (PNG)", f"{name}.png", sheet_file),
        ("This map (PNG)", f"{one}.png", lambda: map_file(index)),
        (
            "Numbers (CSV)",
            f"{one}.csv",
            lambda: export.numbers_csv(layer_maps()[:, :, index]).encode(),
        ),
        ("Numbers (NPY)", f"{one}.npy", lambda: export.numbers_npy(layer_maps()[:, :, index])),
    )


def responses(insights: Insights, index: int) -> str:
    """Return how to read the top images, and the filter's response to each class."""
    found = insights.filters[layer.name]
    means = insights.class_means[layer.name][:, index]
    best = int(np.argmax(means))
    selectivity = insights.selectivity(layer.name)
    return html.note(
        "The nine images with the highest peak, under each its class and the peak (activation, "
        "no unit). Outlined, and enlarged below: all that the unit with the peak can see. "
        "Look for what the nine have in common there. Click one to open it, and that unit, in "
        "the microscope above."
    ) + html.halves(
        html.title("Mean response to the images of each class", "activation")
        + html.class_quantiles(
            found.response_quantiles[index],
            f"Quantiles of the mean response to each class; highest mean {CLASS_NAMES[best]}",
        )
        + html.note(
            "Of the 1,000 test images of a class, the box holds the middle half, the line all "
            "but the lowest and the highest twentieth; the mark and the number are the median. "
            "A filter that tells a class apart has a box there that the others do not reach."
        ),
        html.title("What that says")
        + html.facts(
            [
                ("highest mean response", f"{CLASS_NAMES[best]}, {means[best]:.3f}"),
                ("selectivity for it", f"{selectivity[index]:.2f}"),
            ]
        )
        + html.title(f"In all of {layer.name}")
        + html.facts(
            [
                ("dead filters", in_words(np.flatnonzero(found.dead).tolist())),
                (
                    "near-duplicates",
                    in_words([f"{one} and {other}" for one, other in found.duplicate_pairs]),
                ),
                ("most selective", in_words(np.argsort(-selectivity)[:5].tolist())),
            ]
        )
        + html.note(
            "Selectivity is (best class's mean − mean of the other nine) ÷ their sum: 0 where "
            "all classes get the same, 1 where only one gets any. A dead filter is 0 "
            "everywhere on all 10,000 images; near-duplicates correlate above 0.95 there."
        ),
    )


def top_images(index: int) -> None:
    """The test images that excite a filter most, and how it answers to each class."""
    if layer.kind != "Conv2D":
        html.show(html.note(NO_FILTERS))
        return
    insights, problem = frame.measured(view)
    if insights is None:
        html.show(html.note(problem))
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

    html.show(
        html.title(f"What excites filter {index} of {layer.name} most", "of 10,000 test images")
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
    html.show(
        cache.kept(
            lambda: responses(insights, index), "responses", view.model.key, layer.name, index
        )
    )
    name = f"{html.file_name(layer.name)}_filter{index}"
    downloads(
        (
            "Top images (PNG)",
            f"{name}_top.png",
            lambda: download_figures.rows_figure(
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
            lambda: export.table_csv(
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
            lambda: export.table_csv(
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
        maps = cache.epoch_maps(view.model, view.index, layer.name) if saved else None
    except ModelError as error:
        html.show(html.note(escape(str(error))))
        return
    if maps is None:
        html.show(html.note(frame.NO_CHECKPOINTS))
        return
    insights, _ = frame.measured(view)
    kernels = []
    if layer.kind == "Conv2D":
        key = "kernel film", view.model.key, layer.name, index
        kernels.append(cache.once(lambda: kernel_film(saved.values(), index), *key))
    film = map_film(maps, index)
    html.show(html.title(f"Filter {index} of {layer.name}, as the network learned"))
    epoch_player(
        view,
        [*kernels, film],
        list(saved),
        maps.probabilities,
        insights,
    )
    epoch_sheet(maps, f"All {count} maps of {layer.name} at that epoch")
    html.show(
        html.note(
            "Each picture, and each map of the sheet, has one colour scale for all epochs, so what "
            "changes is the network. "
            "Epoch 0 is the network before training: its kernels are random, and its maps already "
            "show edges, for any small kernel does. <b>Look for</b> when the map takes the form "
            "that it keeps, and whether the prediction settles before or after it."
        )
    )

    def columns() -> list[Column]:
        outputs, _ = cache.epoch_outputs(view.model, view.index, layer.name)
        chosen = [output[..., index] for output in outputs]
        return [
            *((each.title, list(each.pictures), each.scale) for each in kernels),
            (film.title, chosen, film.scale),
        ]

    name = f"{html.file_name(layer.name)}_filter{index}_image{view.index}_epochs"
    downloads(
        (
            "All epochs (PNG)",
            f"{name}.png",
            lambda: download_figures.rows_figure(
                columns(),
                [f"epoch {epoch}" for epoch in saved],
                f"Filter {index} of {layer.name}, {view.title}",
            ),
        ),
        (
            "All epochs (NPZ)",
            f"{name}.npz",
            lambda: export.arrays_npz(
                {title: np.stack(pictures) for title, pictures, _ in columns()}
                | {"epochs": np.array(list(saved))}
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
    tiled = np.stack([tile(kernel, 16) for kernel in kernels])
    words = f"Weights of the {kernels.shape[3]} slices, 16 in a row: blue against, red for."
    return Film("Kernel", words, tiled, scale, 288)


def map_film(maps: cache.EpochMaps, index: int) -> MapFilm:
    """A filter's maps, which the sheet has."""
    words = "Activation, for the image in view."
    return MapFilm(f"Map {index}", words, index, maps.shape[1:3], maps.scales[index], 200)


def notes() -> str:
    """Return what to look for in the layer, and the mean of its maps."""
    words = html.note(WHAT_TO_SEE.get(layer.name, "")) + html.note(tutorial_links())
    if flat:
        return words
    mean_map = layer_maps().mean(axis=2)
    scale = Scale.of(mean_map)
    return words + html.row(
        html.title(f"Mean of all {count} maps")
        + html.picture(mean_map, scale, f"Mean map of {layer.name}", 200),
        html.colour_bar(scale, "Mean activation over the maps, cell by cell."),
    )


PANELS = {"numbers": numbers, "top images": top_images, "epochs": epochs}
# The browser has all that the others need for another filter.
DRAWN_HERE = ("top images", "epochs")


@fragment
def explorer() -> None:
    """All that depends on the filter: where the server has to know it, only this runs again."""
    index = controls.chosen_filter(count)
    left, right = st.columns([11, 10])
    panel = "" if flat else controls.panel(list(PANELS))
    with left:
        pinned = controls.pinned_unit(layer)
        microscope.feature_sheet(view, layer, index, pinned, shared, panel in DRAWN_HERE)
    with right:
        microscope.microscope()
    if flat:
        name = f"{html.file_name(layer.name)}_image{view.index}"
        downloads(
            (
                "Numbers (CSV)",
                f"{name}.csv",
                lambda: export.numbers_csv(layer_maps().ravel()).encode(),
            ),
            ("Numbers (NPY)", f"{name}.npy", lambda: export.numbers_npy(layer_maps().ravel())),
        )
        return
    PANELS[panel](index)


layer = controls.layer(view.network)
flat = len(layer.output_shape) == 1
count = layer.output_shape[-1]
what = "units" if flat else "maps"
with st.container(horizontal=True, vertical_alignment="bottom"):
    html.show(html.title(f"All {count} {what} of {layer.name}", view.title))
    shared = not flat and controls.shared_scale()
explorer()

html.show(cache.kept(notes, "notes", view.model.key, view.index, layer.name))
# Nothing of it shows; above the sheet it would only leave gaps.
microscope.provide(view, layer)
