"""The picture of all test images that browsers fetch, and the command that writes it.

    python -m core.images --write

Streamlit serves the file, and browsers keep it.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from core.dataset import DatasetError, load_split
from core.paths import REPOSITORY
from core.pictures.scales import PIXELS, to_indices
from core.pictures.sheets import tile

THUMBNAILS_FILE = REPOSITORY / "static" / "test_images.png"
THUMBNAIL_COLUMNS = 100
GREYS = 16


def contact_print(images: npt.NDArray[np.uint8], columns: int) -> bytes:
    """Return a PNG file of images (n, h, w) in `GREYS` greys, `columns` in a row.

    It is compressed as far as it goes, which takes seconds for 10,000 images.
    """
    sheet = tile(np.moveaxis(images, 0, 2), columns)
    entries = to_indices(sheet, PIXELS) // np.uint8(256 // GREYS)
    picture = Image.fromarray(entries)
    greys = np.linspace(0, 255, GREYS).round().astype(np.uint8)
    picture.putpalette(greys.repeat(3).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=4, optimize=True)
    return buffer.getvalue()


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
