"""Figures for download have the right format, size and content."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.pictures.download_figures import (
    FIGURE_DPI,
    curves_figure,
    map_figure,
    points_figure,
    rows_figure,
    sheet_figure,
)
from core.pictures.scales import Scale

MAPS = np.random.default_rng(0).random((5, 5, 10)).astype(np.float32)
SCALE = Scale.of(MAPS)


@pytest.mark.parametrize("name", ["map", "sheet", "sheet on one scale", "rows", "curves", "points"])
def test_figures_are_pictures_of_a_useful_size(name: str) -> None:
    history = {"epoch": [1, 2], "train_loss": [2.0, 1.0], "train_accuracy": [0.5, 0.9]}
    legend = [("even", "#332288"), ("odd", "#d55e00")]
    make = {
        "map": lambda: map_figure(MAPS[:, :, 0], SCALE, "a map"),
        "sheet": lambda: sheet_figure(MAPS, None, "a sheet"),
        "sheet on one scale": lambda: sheet_figure(MAPS, SCALE, "a sheet", columns=4),
        "rows": lambda: rows_figure([("x", [MAPS[:, :, 0]], SCALE)], ["one"], "rows"),
        "curves": lambda: curves_figure(pd.DataFrame(history), "curves"),
        "points": lambda: points_figure(
            MAPS[0, :, :2], np.arange(5) % 2, legend, ("across", "up"), "points"
        ),
    }
    picture = Image.open(io.BytesIO(make[name]()))
    assert picture.format == "PNG"
    assert min(picture.size) >= 300
    assert len(set(picture.convert("L").get_flattened_data())) > 16


def test_a_sheet_has_each_map_at_its_place() -> None:
    """On one scale, a map of a single value has one colour, that of its share of the scale."""
    maps = np.broadcast_to(np.linspace(0, 1, 10, dtype=np.float32), (5, 5, 10))
    data = sheet_figure(maps, Scale(0, 1, "sequential"), "", columns=4)
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    inch = FIGURE_DPI
    seen = [
        tuple(picture[round((0.4 + 1.2 * row + 0.7) * inch), round((1.1 * column + 0.55) * inch)])
        for row, column in (divmod(index, 4) for index in range(10))
    ]
    # viridis, from dark violet to yellow, gets greener from each tenth to the next.
    assert seen[0] == pytest.approx((68, 1, 84), abs=2)
    assert seen[-1] == pytest.approx((253, 231, 37), abs=2)
    assert all(before[1] < after[1] for before, after in pairwise(seen))
