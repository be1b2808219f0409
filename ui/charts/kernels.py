"""Kernels as pictures: the first convolution's in the end, and any filter's epoch by epoch."""

from __future__ import annotations

import numpy as np

from core.pictures import sheets
from core.pictures.scales import FloatArray, Scale
from ui import markup
from ui.components.epoch_player import Film

SLICES_PER_ROW = 16


def kernel_sheet(layer: str, kernels: FloatArray, biases: FloatArray) -> str:
    """Return all kernels (h, w, filters) of a first convolution with their biases, HTML."""
    scale = Scale.centred(kernels)
    return markup.sheet(
        kernels,
        scale,
        f"Sheet of the {kernels.shape[2]} kernels of {layer}",
        [f"{index}: {bias:+.2f}" for index, bias in enumerate(biases.round(2) + 0.0)],
    ) + markup.colour_bar(
        scale,
        "Weight, no unit: blue counts against, red for, white is 0. Above each kernel its "
        "number and its bias. Red on one side and blue on the other is an edge detector.",
    )


def all_kernels_film(layer: str, kernels: FloatArray) -> Film:
    """Return all kernels of a first convolution (epochs, h, w, filters), epoch by epoch."""
    # A cell of 0, which is white, between the kernels.
    apart = np.pad(kernels, ((0, 0), (0, 1), (0, 1), (0, 0)))
    return Film(
        f"The {kernels.shape[3]} kernels of {layer}",
        "Weights: blue against, red for. Row by row, filter 0 first.",
        np.stack([sheets.tile(sheet, sheets.SHEET_COLUMNS) for sheet in apart]),
        Scale.centred(kernels),
        320,
    )


def kernel_film(kernels: FloatArray) -> Film:
    """Return one filter's kernel (epochs, h, w, channels), its slices side by side."""
    scale = Scale.centred(kernels)
    if kernels.shape[3] == 1:
        return Film("Kernel", "Weights: blue against, red for.", kernels[..., 0], scale, 120)
    tiled = np.stack([sheets.tile(kernel, SLICES_PER_ROW) for kernel in kernels])
    words = (
        f"Weights of the {kernels.shape[3]} slices, {SLICES_PER_ROW} in a row: blue against, red "
        "for."
    )
    return Film("Kernel", words, tiled, scale, 288)
