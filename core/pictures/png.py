"""An array as a palette PNG of one pixel per cell.

The browser enlarges such a picture without smoothing, so it is crisp at any zoom.
"""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cache

import numpy as np

from core.pictures.colours import Palette, palette_rgb
from core.pictures.scales import AnyArray, IndexArray, Scale, to_indices


def encode_png(indices: IndexArray, palette: Palette) -> bytes:
    """Return a PNG file of palette entries (h, w).

    Written here because a page has up to a hundred small pictures, and Pillow takes three to ten
    times as long for each.

    Source: https://www.w3.org/TR/png-3/.
    """
    height, width = indices.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each begins with its filter type, 0: none
    lines[:, 1:] = indices
    # Eight bits per pixel; colour type 3 is a palette, 0 is grey.
    header = struct.pack(">IIBBxxx", width, height, 8, 0 if palette == "grey" else 3)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            b"" if palette == "grey" else _palette_chunk(palette),
            # Level 1 is twice as fast as the default and a tenth larger, at a few kilobytes.
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 1)),
            _chunk(b"IEND", b""),
        )
    )


def png_uri(indices: IndexArray, palette: Palette) -> str:
    """Return palette entries (h, w) as the `src` of an image element."""
    return "data:image/png;base64," + base64.b64encode(encode_png(indices, palette)).decode("ascii")


def data_uri(values: AnyArray, scale: Scale) -> str:
    """Return an array (h, w) as the `src` of an image element."""
    return png_uri(to_indices(values, scale), scale.palette)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def _palette_chunk(palette: Palette) -> bytes:
    return _chunk(b"PLTE", palette_rgb(palette))
