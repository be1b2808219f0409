"""The class comparison: pictures of the images and the maps of both classes, and of all ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from core.dataset import CLASS_NAMES
from core.evidence.separation import Separation
from core.pictures import colours, sheets
from core.pictures.download_figures import Column
from core.pictures.scales import PIXELS, FloatArray, Scale, common_scales
from ui import markup
from ui.charts.separation_chart import kind_of
from ui.charts.separation_words import ClassNames, auc_words, drop_words
from ui.components.data import as_json

MapPair = tuple[FloatArray, FloatArray]
"""The mean map of each filter over the images of either class, (h, w, F) each."""

MAP_WIDTH = "clamp(80px, 9vw, 160px)"  # on the page, in CSS
PAIR_WORDS = (
    "What to see: a filter that outlines vertical edges in one class may answer to horizontal ones "
    "in the other. A map that stays dark in all rows of one class and lights up in the other tells "
    "the two apart, here at least; the bars say whether it does over all test images. “all "
    "filters”, above, says which ones do so best."
)


def pair_data(
    pixels: npt.NDArray[np.uint8],
    rows: Sequence[str],
    maps: Mapping[str, Sequence[FloatArray]],
    means: Mapping[str, FloatArray],
    names: ClassNames,
) -> bytes:
    """Return what `microscope.filter_pair` shows: all filters' maps of some images.

    Args:
        pixels: The images, (n, 28, 28).
        rows: The name of each image.
        maps: The maps (h, w, F) of each image by layer.
        means: The mean response of each filter to both classes, (2, F), by layer.
        names: The names of both classes.
    """
    images_alone = {
        "title": "input",
        "src": sheets.sheet_uri(np.moveaxis(pixels, 0, 2), 1, PIXELS),
        "count": 1,
        "aspect": 1,
    }
    return as_json(
        rows=rows,
        columns=[
            images_alone,
            *map(_pair_column, maps.keys(), maps.values()),
        ],
        responses=[
            {"layer": layer, "means": of_classes.astype(float).round(5).tolist()}
            for layer, of_classes in means.items()
        ],
        names=names,
        words=PAIR_WORDS,
    )


def _pair_column(layer: str, maps: Sequence[FloatArray]) -> dict[str, object]:
    """Return all maps of a layer, each filter on one scale for all images."""
    scales = common_scales(maps)
    low = -1 if scales[0].palette == "diverging" else 0
    shares = np.stack(maps, 2) / np.array([scale.high for scale in scales], np.float32)
    height, width, _, count = shares.shape
    sheet = shares.reshape(height, width, -1)
    return {
        "title": layer,
        "src": sheets.sheet_uri(sheet, count, Scale(low, 1, scales[0].palette)),
        "count": count,
        "aspect": width / height,
        "ends": [[scale.low, scale.high] for scale in scales],
        "colours": ",".join(colours.colour_stops(scales[0].palette)),
    }


def picture_table(columns: Sequence[Column], rows: Sequence[str], width: int | str) -> str:
    """Return a table of pictures with one colour scale per column, HTML.

    Args:
        columns: A layer each: its title, its pictures and their scale.
        rows: The name of each row's image.
        width: Of a picture, in CSS pixels or as a CSS length.
    """
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title, _, _ in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row)}</th>'
        + "".join(
            f"<td>{markup.picture(arrays[position], scale, f'{row}: {title}', width)}</td>"
            for title, arrays, scale in columns
        )
        for position, row in enumerate(rows)
    )
    ends = "".join(
        f"<td>{markup.colour_bar(scale) if scale is not PIXELS else ''}</td>"
        for _, _, scale in columns
    )
    return markup.scrolling(
        f'<table class="grid-figure"><tr><td></td>{head}</tr>{body}'
        f"<tr><td></td>{ends}</tr></table>",
        "The images in rows, what the filter makes of them in columns",
    )


def chosen_filter(
    layer: str, separation: Separation, pair: MapPair, index: int, names: ClassNames
) -> str:
    """Return a filter's average maps of both classes, their difference, and its numbers, HTML."""
    columns = map_columns(pair, [index], names)
    return markup.row(
        markup.title(f"Filter {index} of {layer}", "average map over all test images of a class")
        + picture_table(columns, ["mean"], MAP_WIDTH),
        markup.title("What it says, and what it does")
        + markup.facts(
            [
                ("AUC", auc_words(separation, index)),
                ("drop", drop_words(separation, index)),
                ("kind", kind_of(separation, index)),
            ]
        )
        + markup.note(
            f"In the difference red is brighter for {escape(names[0])}, blue for "
            f"{escape(names[1])}, white the same in both. Red here and blue there may leave an AUC "
            "near 0.5, and yet be what the next layer needs. Click a column above for another "
            "filter."
        ),
    )


def map_columns(pair: MapPair, shown: Sequence[int], names: ClassNames) -> list[Column]:
    """Return some filters' average maps of both classes, on one scale, and their difference."""
    first, second = ([maps[:, :, index] for index in shown] for maps in pair)
    scale = Scale.of(np.stack(first + second))
    apart = [one - other for one, other in zip(first, second, strict=True)]
    return [
        (names[0], first, scale),
        (names[1], second, scale),
        ("difference", apart, Scale.centred(np.stack(apart))),
    ]


def best_filters(
    layer: str, separation: Separation, pair: MapPair, best: Sequence[int], names: ClassNames
) -> str:
    """Return the average maps of the filters that separate best, HTML."""
    return markup.title(
        f"Average maps of the best separators in {layer}",
        "activation, over all test images of a class",
    ) + markup.row(
        average_maps(separation, pair, best, names),
        markup.note(
            f"The {len(best)} filters with the largest |AUC − 0.5|. Both classes share a filter's "
            "scale, so the rows compare; the difference shows where the evidence lies. Where "
            "several look alike they say the same, and the network may do without one of them."
        ),
    )


def average_maps(
    separation: Separation, pair: MapPair, shown: Sequence[int], names: ClassNames
) -> str:
    """Return some filters' average maps of both classes, and their difference, HTML.

    Each filter has one scale for both classes.
    """
    titles = (*names, "", "difference", "")
    lines = [[f'<th scope="row">{escape(title)}'] for title in titles]
    heads = ["<td>"]
    for index in shown:
        means = [each[:, :, index] for each in pair]
        apart = means[0] - means[1]
        scale, centred = Scale.of(np.stack(means)), Scale.centred(apart)
        heads.append(
            f'<th scope="col">filter {index}<br><small>AUC {separation.auc[index]:.3f}</small>'
        )
        cells = (
            *(
                markup.picture(mean, scale, f"Mean map of filter {index}, {name}", MAP_WIDTH)
                for mean, name in zip(means, names, strict=True)
            ),
            markup.colour_bar(scale),
            markup.picture(apart, centred, f"Difference of filter {index}'s mean maps", MAP_WIDTH),
            markup.colour_bar(centred),
        )
        for line, cell in zip(lines, cells, strict=True):
            line.append(f"<td>{cell}")
    body = "<tr>".join("".join(line) for line in (heads, *lines))
    return markup.scrolling(
        f'<table class="grid-figure"><tr>{body}</table>',
        "The filters in columns, their average maps of both classes in rows",
    )


def images_of_classes(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> str:
    """Return the first test images (n, 28, 28) in a table with a row per class, HTML."""
    rows = "".join(
        '<tr><td class="thumbnails">'
        + "".join(
            "<figure>"
            + markup.picture(pixels[index], PIXELS, f"Test image {index}, {CLASS_NAMES[label]}", 46)
            + f"<figcaption>{index}</figcaption></figure>"
            for index in np.flatnonzero(labels == label).tolist()
        )
        for label in range(len(CLASS_NAMES))
    )
    return '<table class="grid-figure"><tr><th>&nbsp;</tr>' + rows + "</table>"
