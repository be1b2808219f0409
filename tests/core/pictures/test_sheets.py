"""Each map has its place and its colours in a sheet."""

import numpy as np
import pytest

from core.pictures.scales import Scale
from core.pictures.sheets import sheet_uri, strongest, tile
from tests.harness.pictures import read

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (9, 4), (64, 8)])
def test_tiles_stand_row_by_row(count: int, columns: int) -> None:
    maps = RNG.random((5, 6, count))
    sheet = tile(maps, columns)
    assert sheet.shape == (-(-count // columns) * 5, columns * 6)
    for index in range(count):
        row, column = divmod(index, columns)
        cell = sheet[5 * row : 5 * row + 5, 6 * column : 6 * column + 6]
        assert np.array_equal(cell, maps[:, :, index])


def test_a_sheet_scales_each_map_by_itself_or_all_together() -> None:
    maps = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 4.0)], axis=2).astype(np.float32)
    own = np.asarray(read(sheet_uri(maps, 2, None)))
    shared = np.asarray(read(sheet_uri(maps, 2, Scale.of(maps))))
    assert own[0, 0] == own[0, 2] == 252
    assert shared[0, 2] == 252
    assert abs(int(shared[0, 0]) - 255 / 4) <= 4


def test_the_strongest_maps_come_first_and_ties_in_order() -> None:
    maps = np.zeros((2, 2, 4), np.float32)
    maps[0, 1] = [1, 3, 3, 2]
    assert strongest(maps, 3) == [1, 2, 3]
