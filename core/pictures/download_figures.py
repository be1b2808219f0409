"""Figures for download: matplotlib draws them, in a process of its own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.pictures.colours import PALETTES, SPLIT_COLOURS
from core.pictures.drawing_process import run_in_drawing_process
from core.pictures.scales import AnyArray, FloatArray, Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_DPI = 150

Column = tuple[str, Sequence[AnyArray], Scale]
"""A column of a grid of pictures: its heading, its arrays (h, w), and the scale of them all."""


@run_in_drawing_process
def map_figure(values: FloatArray, scale: Scale, title: str) -> bytes:
    """Return a PNG file of an array (h, w) with axes in cells and a colour bar."""
    figure = _figure(6, 5)
    axes = figure.add_subplot()
    picture = axes.imshow(values, PALETTES[scale.palette], vmin=scale.low, vmax=scale.high)
    figure.colorbar(picture, ax=axes, label="activation (no unit)")
    axes.set_title(title)
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    return _save(figure)


@run_in_drawing_process
def sheet_figure(maps: FloatArray, scale: Scale | None, title: str, columns: int = 8) -> bytes:
    """Return a PNG file of all maps (h, w, n), numbered from 0.

    Without a scale each map has its own.
    """
    count = maps.shape[2]
    rows = -(-count // columns)
    # In inches. One coordinate system for all, because axes of its own for each map would take
    # eight times as long.
    head, side, across, down = 0.4, 1.0, 1.1, 1.2
    width, height = columns * across, head + rows * down
    figure = _figure(width, height, layout=None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for index in range(count):
        row, column = divmod(index, columns)
        left, bottom = column * across + (across - side) / 2, head + (row + 1) * down
        own = scale or Scale.of(maps[:, :, index])
        axes.imshow(
            maps[:, :, index],
            PALETTES[own.palette],
            vmin=own.low,
            vmax=own.high,
            extent=(left, left + side, bottom, bottom - side),
            aspect="auto",
        )
        axes.text(left + side / 2, bottom - side - 0.03, str(index), fontsize=7, ha="center")
    axes.set(xlim=(0, width), ylim=(height, 0))
    how = (
        f"one scale: {scale.low:.3g} to {scale.high:.3g}" if scale else "every map on its own scale"
    )
    axes.text(width / 2, head / 2, f"{title} ({how})", fontsize=10, ha="center")
    return _save(figure)


@run_in_drawing_process
def rows_figure(
    columns: Sequence[Column],
    row_titles: Sequence[str],
    title: str,
) -> bytes:
    """Return a PNG file of a grid of arrays, a column of the file per `Column`."""
    figure = _figure(1.6 * len(columns) + 1.5, 1.35 * len(row_titles) + 1.2)
    grid = figure.subplots(len(row_titles), len(columns), squeeze=False)
    for column, (heading, arrays, scale) in enumerate(columns):
        for row, values in enumerate(arrays):
            axes = grid[row, column]
            picture = axes.imshow(values, PALETTES[scale.palette], vmin=scale.low, vmax=scale.high)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(heading, fontsize=8)
            if column == 0:
                axes.set_ylabel(row_titles[row], fontsize=7, rotation=0, ha="right", va="center")
        figure.colorbar(picture, ax=grid[:, column], location="bottom", shrink=0.9)
    figure.suptitle(title, fontsize=10)
    return _save(figure)


@run_in_drawing_process
def curves_figure(history: pd.DataFrame, title: str) -> bytes:
    """Return a PNG file of loss and accuracy by epoch, a line per split, from a model's history."""
    figure = _figure(9, 3.6)
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column in history.columns:
            split, _, what = column.partition("_")
            if what == measure:
                axes.plot(
                    history["epoch"], history[column], "o-", color=SPLIT_COLOURS[split], label=split
                )
        axes.set_xlabel("epoch")
        axes.set_ylabel(measure)
        axes.legend()
    figure.suptitle(title)
    return _save(figure)


@run_in_drawing_process
def points_figure(
    places: FloatArray,
    groups: npt.NDArray[np.integer],
    legend: Sequence[tuple[str, str]],
    axes_names: tuple[str, str],
    title: str,
) -> bytes:
    """Return a PNG file of points, the last on top.

    Args:
        places: Positions (n, 2).
        groups: Index of each point's group in the legend, (n,).
        legend: Name and colour of each group.
        axes_names: Titles of both axes; where both are empty, the axes have no ticks.
        title: Title of the figure.
    """
    figure = _figure(8, 7)
    axes = figure.add_subplot()
    x, y = places.T
    axes.scatter(x, y, s=3, c=np.array([colour for _, colour in legend])[groups], linewidths=0)
    counts = np.bincount(groups, minlength=len(legend))
    for (name, colour), count in zip(legend, counts, strict=True):
        axes.scatter([], [], s=3, color=colour, linewidths=0, label=f"{name} ({count})")
    axes.set_aspect("equal")
    axes.set_xlabel(axes_names[0])
    axes.set_ylabel(axes_names[1])
    if not any(axes_names):
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_title(title, fontsize=10)
    figure.legend(loc="outside right center", markerscale=4, fontsize=8)
    return _save(figure)


def _figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return an empty figure of that size in inches."""
    from matplotlib.figure import Figure  # 14 MB, which the process that serves does without

    return Figure((width, height), layout=layout)


def _save(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=FIGURE_DPI)
    return buffer.getvalue()
