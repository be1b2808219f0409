"""Arrays to pictures: palette PNGs for the pages, and files of numbers for people who download.

On a page a feature map travels as a PNG of one pixel a cell and the browser enlarges it without
smoothing, so it is crisp at any zoom and a sheet of 64 maps is a few kilobytes.
"""

from __future__ import annotations

import argparse
import base64
import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from core.dataset import CLASS_NAMES, DatasetError, load_split
from core.paths import REPOSITORY

FloatArray = npt.NDArray[np.floating]
AnyArray = npt.NDArray[np.generic]
IndexArray = npt.NDArray[np.uint8]

# All three are colour-blind-safe: viridis and the greys rise evenly in lightness, and the ends of
# red-blue differ for every common form of colour blindness.
PALETTES = {"sequential": "viridis", "diverging": "RdBu_r", "grey": "gray"}
Palette = Literal["sequential", "diverging", "grey"]

# Of Okabe and Ito's colour-blind-safe set.
SPLIT_COLOURS = {"train": "#0072b2", "validation": "#e69f00", "test": "#d55e00"}

# A class's colour: Paul Tol's colour-blind-safe "muted" set (https://sronpersonalpages.nl/~pault),
# its near-white grey darkened so that it shows on white. Classes that mix differ most.
CLASS_COLOURS = (
    "#332288",
    "#bbbbbb",
    "#88ccee",
    "#ddcc77",
    "#117733",
    "#999933",
    "#cc6677",
    "#882255",
    "#aa4499",
    "#44aa99",
)
# Two of them are too dark for a dark page.
CLASS_COLOURS_ON_DARK = tuple(
    {"#332288": "#7766dd", "#882255": "#b03070"}.get(colour, colour) for colour in CLASS_COLOURS
)
# Right and wrong: a grey near the page's own colour, and a colour of Okabe and Ito's set.
VERDICT_COLOURS = ("#c4c4c4", "#d55e00")
VERDICT_COLOURS_ON_DARK = ("#5c5c5c", "#d55e00")
COMPONENT_AXES = ("first principal component", "second principal component")

SHEET_COLUMNS = 8
# Of a map that changes with the epoch. Odd, so that 0 has the middle of the diverging palette.
SHADES = 65

# All test images in one file, which Streamlit serves and browsers keep.
THUMBNAILS_FILE = REPOSITORY / "static" / "test_images.png"
THUMBNAIL_COLUMNS = 100
GREYS = 16


@dataclass(frozen=True)
class Scale:
    """A colour scale: `low` gets the first colour of the palette, `high` the last."""

    low: float
    high: float
    palette: Palette

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """The scale on which all of `values` fit.

        Values without a sign run from 0 to their maximum on the sequential palette. As soon as
        one is negative the scale is diverging and zero-centred: from −max|v| to max|v|, so that
        the pale middle is always 0. Where all values are 0 the upper end is 1.
        """
        if float(values.min(initial=0.0)) < 0:
            return cls.centred(values)
        return cls(0.0, float(values.max(initial=0.0)) or 1.0, "sequential")

    @classmethod
    def centred(cls, values: FloatArray) -> Scale:
        """The diverging scale from −max|v| to max|v|, for weights and other signed values."""
        largest = float(np.abs(values).max(initial=0.0)) or 1.0
        return cls(-largest, largest, "diverging")


PIXELS = Scale(0, 255, "grey")

Column = tuple[str, Sequence[AnyArray], Scale]
"""A column of a grid of pictures: its heading, its arrays (h, w), and the scale of them all."""


def to_indices(values: AnyArray, scale: Scale) -> IndexArray:
    """Values to palette entries 0–255, clipped at the ends of the scale. Any shape."""
    share = (values.astype(np.float32) - scale.low) * (255 / (scale.high - scale.low))
    entries: IndexArray = np.clip(np.rint(share), 0, 255).astype(np.uint8)
    return entries


def tile(maps: AnyArray, columns: int) -> npt.NDArray[np.generic]:
    """Maps (h, w, n) beside each other, row by row: (rows·h, columns·w); missing cells are 0."""
    height, width, count = maps.shape
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width), maps.dtype)
    cells[:count] = np.moveaxis(maps, 2, 0)
    sheet = cells.reshape(rows, columns, height, width).swapaxes(1, 2)
    return sheet.reshape(rows * height, columns * width)


def png(indices: IndexArray, palette: Palette) -> bytes:
    """A PNG, one pixel a cell, of palette entries (h, w).

    Written here, for a page has up to a hundred small pictures, and Pillow takes three to ten
    times as long over each: https://www.w3.org/TR/png-3/.
    """
    height, width = indices.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each begins with its filter, none
    lines[:, 1:] = indices
    # Eight bits a pixel, of a palette (3) or grey (0).
    header = struct.pack(">IIBBxxx", width, height, 8, 0 if palette == "grey" else 3)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _png_chunk(b"IHDR", header),
            b"" if palette == "grey" else _png_palette(palette),
            # Level 1 is twice as fast as the default and a tenth larger, at a few kilobytes.
            _png_chunk(b"IDAT", zlib.compress(lines.tobytes(), 1)),
            _png_chunk(b"IEND", b""),
        )
    )


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def _png_palette(palette: Palette) -> bytes:
    return _png_chunk(b"PLTE", _palette_bytes(palette))


def data_uri(values: AnyArray, scale: Scale) -> str:
    """An array (h, w) as the `src` of an image element."""
    return _uri(png(to_indices(values, scale), scale.palette))


def sheet_uri(maps: AnyArray, columns: int, scale: Scale | None) -> str:
    """Maps (h, w, n) in one picture, `columns` in a row; without a scale each map has its own."""
    if scale is None:
        # One palette serves all maps of the picture: a single signed map makes all diverging.
        palette = Scale.of(np.asarray(maps, np.float32)).palette
        largest = np.abs(maps).max(axis=(0, 1), initial=0.0)
        maps = maps / np.where(largest > 0, largest, 1)
        scale = Scale(-1 if palette == "diverging" else 0, 1, palette)
    entries = to_indices(tile(maps, columns), scale)
    # A quarter of the shades, which no eye can tell apart in cells this small, make the largest
    # message of an image's change a fifth smaller.
    return _uri(png(entries & np.uint8(0xFC), scale.palette))


def common_scales(films: Sequence[FloatArray]) -> tuple[Scale, ...]:
    """A scale for each map of several (h, w, n), on which all of its versions fit; all have the
    same palette, diverging as soon as one value is negative."""
    signed = any(float(maps.min(initial=0.0)) < 0 for maps in films)
    sizes = map(np.abs, films) if signed else films
    largest = np.max([maps.max(axis=(0, 1), initial=0.0) for maps in sizes], axis=0)
    largest[largest == 0] = 1
    return tuple(
        Scale(-high, high, "diverging") if signed else Scale(0.0, high, "sequential")
        for high in largest.tolist()
    )


def shades(films: Sequence[FloatArray]) -> tuple[IndexArray, tuple[Scale, ...]]:
    """Maps (h, w, n) at several times as shades (n, h, w, times), and each map's scale for all
    times. The shades are numbers below `SHADES`: the place in as many colours, evenly spaced along
    the palette, which is the same for all maps."""
    scales = common_scales(films)
    largest = np.array([scale.high for scale in scales], np.float32)
    last = SHADES - 1
    steps, zero = (last / 2, last / 2) if scales[0].palette == "diverging" else (last, 0)
    taken = np.empty((len(films), *films[0].shape), np.uint8)
    for place, maps in zip(taken, films, strict=True):
        share = maps / largest
        share *= steps
        share += zero + 0.5  # what the conversion cuts off rounds it
        place[...] = share
    # A cell hardly changes from time to time, so they pack best beside each other.
    return np.ascontiguousarray(np.moveaxis(taken, (0, 3), (3, 0))), scales


@cache
def colour_stops(palette: Palette, count: int = 9) -> tuple[str, ...]:
    """`count` colours, evenly spaced along the palette, as `#rrggbb`."""
    colours = np.frombuffer(_palette_bytes(palette), np.uint8).reshape(256, 3)
    picked = colours[np.linspace(0, 255, count).round().astype(int)]
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in picked)


def strongest(maps: FloatArray, count: int) -> list[int]:
    """Indices of the `count` maps of (h, w, n) with the highest peak, the highest first."""
    peaks = maps.max(axis=(0, 1))
    return [int(index) for index in np.argsort(-peaks, kind="stable")[:count]]


def contact_print(images: npt.NDArray[np.uint8], columns: int) -> bytes:
    """A PNG file of images (n, h, w) in `GREYS` greys, `columns` in a row, as small as it gets."""
    sheet = tile(np.moveaxis(images, 0, 2), columns)
    entries = to_indices(sheet, PIXELS) // np.uint8(256 // GREYS)
    picture = Image.fromarray(entries)
    greys = np.linspace(0, 255, GREYS).round().astype(np.uint8)
    picture.putpalette(greys.repeat(3).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=4, optimize=True)
    return buffer.getvalue()


# --- arrays as files ------------------------------------------------------------------------------


def numbers_csv(values: AnyArray) -> str:
    """An array (h, w) as CSV text; with nine significant digits float32 reads back exactly."""
    buffer = io.StringIO()
    np.savetxt(buffer, values, fmt="%.9g", delimiter=",")
    return buffer.getvalue()


def table_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """Named columns as a CSV file."""
    return pd.DataFrame(rows, columns=list(header)).to_csv(index=False).encode()


def numbers_npy(values: AnyArray) -> bytes:
    """An array of any shape as an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def arrays_npz(arrays: dict[str, AnyArray]) -> bytes:
    """Named arrays as an NPZ file."""
    buffer = io.BytesIO()
    # Not np.savez_compressed(**arrays): a layer may be called "file", as an argument of it is.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
    return buffer.getvalue()


def class_label(label: int) -> str:
    """Number and name of a class, as in "8 Bag"."""
    return f"{label} {CLASS_NAMES[label]}"


def _uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


@cache
def _palette_bytes(palette: Palette) -> bytes:
    colours = matplotlib.colormaps[PALETTES[palette]](np.arange(256), bytes=True)
    return bytes(colours[:, :3].tobytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m core.images",
        description=f"Write {THUMBNAILS_FILE.name} anew: the 10,000 test images for the browser.",
    )
    parser.add_argument("--write", action="store_true", help="without this nothing is written")
    if not parser.parse_args(arguments).write:
        parser.print_help()
        return 0
    try:
        THUMBNAILS_FILE.parent.mkdir(exist_ok=True)
        unfinished = THUMBNAILS_FILE.with_suffix(".unfinished")
        try:
            unfinished.write_bytes(contact_print(load_split("test").images, THUMBNAIL_COLUMNS))
            unfinished.replace(THUMBNAILS_FILE)
        finally:
            unfinished.unlink(missing_ok=True)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{THUMBNAILS_FILE} cannot be written: {error.strerror or error}.", file=sys.stderr)
        return 1
    print(THUMBNAILS_FILE)
    return 0
