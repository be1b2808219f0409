"""The palettes have the colours that they promise."""

from core.pictures.colours import colour_stops


def test_zero_is_pale_on_the_diverging_palette() -> None:
    low, middle, high = (
        [int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in colour_stops("diverging", 3)
    )
    assert min(middle) > 240
    assert low[2] > low[0]
    assert high[0] > high[2]
