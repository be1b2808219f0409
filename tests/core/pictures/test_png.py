"""Pictures hold what they are said to hold, read back from the files themselves."""

import numpy as np

from core.pictures.colours import colour_stops
from core.pictures.png import data_uri
from core.pictures.scales import PIXELS, Scale
from tests.harness.pictures import read

RNG = np.random.default_rng(0)


def test_a_grey_picture_is_the_image_itself() -> None:
    image = RNG.integers(0, 256, (28, 28), np.uint8)
    assert np.array_equal(np.asarray(read(data_uri(image, PIXELS))), image)


def test_a_picture_uses_its_palette_from_end_to_end() -> None:
    picture = read(data_uri(np.array([[0.0, 1.0]]), Scale(0, 1, "sequential")))
    first, last = picture.convert("RGB").get_flattened_data()
    stops = colour_stops("sequential", 2)
    assert [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (first, last)] == list(stops)
