"""Pictures hold what they are said to hold, read back from the files themselves."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset import Split, load_split
from core.pictures import images
from core.pictures.images import PIXELS, Scale

RNG = np.random.default_rng(0)


def read(uri: str) -> Image.Image:
    prefix = "data:image/png;base64,"
    assert uri.startswith(prefix)
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(prefix))))


def test_a_scale_without_negative_values_starts_at_zero() -> None:
    scale = Scale.of(np.array([[0.5, 2.0]], np.float32))
    assert (scale.low, scale.high, scale.palette) == (0, 2, "sequential")


def test_a_scale_with_a_negative_value_is_centred_on_zero() -> None:
    scale = Scale.of(np.array([[-3.0, 1.0]], np.float32))
    assert (scale.low, scale.high, scale.palette) == (-3, 3, "diverging")


def test_a_scale_of_zeros_has_a_length() -> None:
    assert Scale.of(np.zeros((2, 2), np.float32)).high == 1
    assert Scale.centred(np.zeros((2, 2), np.float32)).low == -1


def test_indices_are_spread_evenly_and_clipped() -> None:
    values = np.array([-1.0, 0.0, 0.5, 1.0, 9.0], np.float32)
    assert images.to_indices(values, Scale(0, 1, "sequential")).tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (9, 4), (64, 8)])
def test_tiles_stand_row_by_row(count: int, columns: int) -> None:
    maps = RNG.random((5, 6, count))
    sheet = images.tile(maps, columns)
    assert sheet.shape == (-(-count // columns) * 5, columns * 6)
    for index in range(count):
        row, column = divmod(index, columns)
        cell = sheet[5 * row : 5 * row + 5, 6 * column : 6 * column + 6]
        assert np.array_equal(cell, maps[:, :, index])


def test_a_grey_picture_is_the_image_itself() -> None:
    image = RNG.integers(0, 256, (28, 28), np.uint8)
    assert np.array_equal(np.asarray(read(images.data_uri(image, PIXELS))), image)


def test_a_picture_uses_its_palette_from_end_to_end() -> None:
    picture = read(images.data_uri(np.array([[0.0, 1.0]]), Scale(0, 1, "sequential")))
    first, last = picture.convert("RGB").get_flattened_data()
    stops = images.colour_stops("sequential", 2)
    assert [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (first, last)] == list(stops)


def test_zero_is_pale_on_the_diverging_palette() -> None:
    low, middle, high = (
        [int(stop[i : i + 2], 16) for i in (1, 3, 5)]
        for stop in images.colour_stops("diverging", 3)
    )
    assert min(middle) > 240
    assert low[2] > low[0]
    assert high[0] > high[2]


def test_a_sheet_scales_each_map_by_itself_or_all_together() -> None:
    maps = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 4.0)], axis=2).astype(np.float32)
    own = np.asarray(read(images.sheet_uri(maps, 2, None)))
    shared = np.asarray(read(images.sheet_uri(maps, 2, Scale.of(maps))))
    assert own[0, 0] == own[0, 2] == 252
    assert shared[0, 2] == 252
    assert abs(int(shared[0, 0]) - 255 / 4) <= 4


@pytest.mark.parametrize("signed", [False, True])
def test_shades_of_a_map_have_one_scale_for_all_times(signed: bool) -> None:
    films = RNG.random((3, 4, 5, 2), np.float32) - (0.5 if signed else 0)
    films[..., 1] *= 1e-3
    shades, scales = images.shades(list(films))
    assert shades.shape == (2, 4, 5, 3)
    for index in range(2):
        maps = films[..., index]
        assert scales[index] == Scale.of(maps)
        expected = images.to_indices(maps, Scale.of(maps)) * ((images.SHADES - 1) / 255)
        assert np.abs(np.moveaxis(shades[index], 2, 0) - expected).max() <= 0.7


def test_where_all_is_zero_the_shade_is_that_of_zero() -> None:
    films = [np.zeros((2, 2, 2), np.float32)]
    assert not images.shades(films)[0].any()
    films[0][0, 0, 0] = -1
    shades, scales = images.shades(films)
    assert (shades[1] == images.SHADES // 2).all()
    assert scales[1] == Scale(-1, 1, "diverging")


def test_the_strongest_maps_come_first_and_ties_in_order() -> None:
    maps = np.zeros((2, 2, 4), np.float32)
    maps[0, 1] = [1, 3, 3, 2]
    assert images.strongest(maps, 3) == [1, 2, 3]


def test_numbers_read_back_exactly() -> None:
    values = RNG.normal(size=(5, 5)).astype(np.float32)
    csv = np.loadtxt(io.StringIO(images.numbers_csv(values)), delimiter=",", dtype=np.float32)
    assert np.array_equal(csv, values)
    assert np.array_equal(np.load(io.BytesIO(images.numbers_npy(values))), values)
    arrays = {"a": values, "file": values + 1, "allow_pickle": values + 2}
    archive = np.load(io.BytesIO(images.arrays_npz(arrays)), allow_pickle=False)
    assert archive.files == list(arrays)
    assert all(np.array_equal(archive[name], array) for name, array in arrays.items())


def test_a_contact_print_holds_16_greys() -> None:
    pictures = RNG.integers(0, 256, (7, 28, 28), np.uint8)
    file = Image.open(io.BytesIO(images.contact_print(pictures, 3)))
    greys = np.asarray(file.convert("L"))
    assert greys.shape == (84, 84)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, 3)
        cell = greys[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        assert np.array_equal(cell, picture // 16 * 17)
    assert not greys[56:, 28:].any()


def test_the_shipped_thumbnails_are_the_test_images() -> None:
    with Image.open(images.THUMBNAILS_FILE) as picture:
        greys = np.asarray(picture.convert("L"))
    cells = greys.reshape(100, 28, 100, 28).swapaxes(1, 2).reshape(-1, 28, 28)
    assert np.array_equal(cells, load_split("test").images // 16 * 17)


def test_the_command_writes_the_thumbnails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = load_split("test").images[:150]
    monkeypatch.setattr(images, "load_split", lambda _: Split(pictures, np.zeros(150, np.uint8)))
    monkeypatch.setattr(images, "THUMBNAILS_FILE", tmp_path / "static" / "thumbnails.png")
    assert images.main([]) == 0
    assert "--write" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert images.main(["--write"]) == 0
    assert capsys.readouterr().out == f"{images.THUMBNAILS_FILE}\n"
    with Image.open(images.THUMBNAILS_FILE) as picture:
        assert picture.size == (2800, 56)
    monkeypatch.setattr(images, "THUMBNAILS_FILE", tmp_path)
    assert images.main(["--write"]) == 1
    assert "cannot be written" in capsys.readouterr().err
