"""Shades of maps at several epochs."""

import numpy as np
import pytest

from core.pictures.scales import Scale, to_indices
from core.pictures.shades import SHADES, shades

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("signed", [False, True])
def test_shades_of_a_map_have_one_scale_for_all_times(signed: bool) -> None:
    films = RNG.random((3, 4, 5, 2), np.float32) - (0.5 if signed else 0)
    films[..., 1] *= 1e-3
    entries, scales = shades(list(films))
    assert entries.shape == (2, 4, 5, 3)
    for index in range(2):
        maps = films[..., index]
        assert scales[index] == Scale.of(maps)
        expected = to_indices(maps, Scale.of(maps)) * ((SHADES - 1) / 255)
        assert np.abs(np.moveaxis(entries[index], 2, 0) - expected).max() <= 0.7


def test_where_all_is_zero_the_shade_is_that_of_zero() -> None:
    films = [np.zeros((2, 2, 2), np.float32)]
    assert not shades(films)[0].any()
    films[0][0, 0, 0] = -1
    entries, scales = shades(films)
    assert (entries[1] == SHADES // 2).all()
    assert scales[1] == Scale(-1, 1, "diverging")
