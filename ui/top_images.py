"""The test images that excite a filter most, and its response to each class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from core import cache, memo
from core.dataset import CLASS_NAMES
from core.evidence.insights import QUANTILES, Insights
from core.network import Field, Layer
from core.pictures import download_figures, export
from core.pictures.scales import PIXELS
from core.pictures.sheets import sheet_uri
from ui import markup, state
from ui.charts.responses import class_responses
from ui.components.contact_sheet import COLUMNS, contact_sheet
from ui.downloads import downloads
from ui.view import View, measured

NO_FILTERS = (
    "Only a convolution has filters of its own: choose one above to see which of the 10,000 test "
    "images excite a filter most."
)


def show_top_images(view: View, layer: Layer, index: int) -> None:
    """Draw the test images that excite a filter most, and its response to each class."""
    if layer.kind != "Conv2D":
        markup.show(markup.note(NO_FILTERS))
        return
    insights, problem = measured(view)
    if insights is None:
        markup.show(markup.note(problem))
        return
    test = cache.split("test")
    tops = top_images_of(view, layer, insights, index)
    markup.show(
        markup.title(f"What excites filter {index} of {layer.name} most", "of 10,000 test images")
    )
    contact_sheet(
        test.images[tops.images],
        tops.images,
        [f"{name}, peak {peak:.3f}" for name, peak in zip(tops.classes, tops.peaks, strict=True)],
        view.index,
        key="top_images",
        links=[
            state.address("filter_explorer", image=image, row=row, col=col)
            for image, (row, col) in zip(tops.images, tops.places, strict=True)
        ],
        side=92,
        captions=tops.captions,
        fields=tops.fields,
        sheet=memo.kept(
            lambda: sheet_uri(np.moveaxis(test.images[tops.images], 0, 2), COLUMNS, PIXELS),
            *("top images", view.model.key, layer.name, index),
        ),
    )
    markup.show(
        memo.kept(
            partial(class_responses, insights, layer.name, index),
            *("responses", view.model.key, layer.name, index),
        )
    )
    name = f"{markup.file_name(layer.name)}_filter{index}"
    downloads(
        (
            "Top images (PNG)",
            f"{name}_top.png",
            lambda: top_images_png(tops, f"What excites filter {index} of {layer.name} most"),
        ),
        (
            "Top images (CSV)",
            f"{name}_top.csv",
            lambda: export.table_csv(("image", "class", "peak", "row", "column"), tops.rows),
        ),
        (
            "Responses (CSV)",
            f"{name}_responses.csv",
            lambda: responses_csv(insights, layer.name, index),
        ),
    )


@dataclass(frozen=True)
class TopImages:
    """The test images with the highest peaks of a filter, the highest first.

    Attributes:
        images: Their indices in the test split.
        classes: The name of each one's class.
        peaks: The filter's largest activation in each.
        places: Row and column of the unit with the peak, in the layer's map.
        fields: All that this unit can see, as a rectangle of the image.
    """

    images: list[int]
    classes: list[str]
    peaks: list[float]
    places: list[tuple[int, int]]
    fields: list[Field]

    @property
    def captions(self) -> list[str]:
        """The class and the peak of each."""
        return [f"{name} {peak:.3f}" for name, peak in zip(self.classes, self.peaks, strict=True)]

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """Image, class, peak, row and column of each."""
        columns = (self.images, self.classes, self.peaks, self.places)
        return [
            (image, name, peak, *place) for image, name, peak, place in zip(*columns, strict=True)
        ]


def top_images_of(view: View, layer: Layer, insights: Insights, index: int) -> TopImages:
    """Return the images that excite a filter of a convolution most."""
    measures = insights.filters[layer.name]
    indices = measures.top_images[index].tolist()
    places = measures.top_positions[index].tolist()
    return TopImages(
        indices,
        [CLASS_NAMES[label] for label in cache.split("test").labels[indices]],
        measures.top_values[index].tolist(),
        [(row, col) for row, col in places],
        [
            view.network.receptive_field(layer.name, row, col).clip(*view.image.shape)
            for row, col in places
        ],
    )


def top_images_png(tops: TopImages, title: str) -> bytes:
    """Return the images and what the unit with the peak sees of each, as a figure."""
    pixels = cache.split("test").images[tops.images]
    seen = [field.of(image) for image, field in zip(pixels, tops.fields, strict=True)]
    columns: list[download_figures.Column] = [
        ("image", list(pixels), PIXELS),
        ("receptive field", seen, PIXELS),
    ]
    return download_figures.rows_figure(columns, tops.captions, title)


def responses_csv(insights: Insights, layer: str, index: int) -> bytes:
    """Return quantiles and mean of a filter's response to each class, as a CSV file."""
    quantiles = insights.filters[layer].response_quantiles[index].tolist()
    means = insights.class_means[layer][:, index].tolist()
    return export.table_csv(
        ("class", *(f"{quantile:.0%} below" for quantile in QUANTILES), "mean"),
        [
            (name, *values, mean)
            for name, values, mean in zip(CLASS_NAMES, quantiles, means, strict=True)
        ],
    )
