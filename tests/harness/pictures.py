"""Read the pictures that the app makes."""

import base64
import io

from PIL import Image


def read(uri: str) -> Image.Image:
    """Return the picture of a data URI."""
    prefix = "data:image/png;base64,"
    assert uri.startswith(prefix)
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(prefix))))
