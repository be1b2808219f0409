"""The picture of all test images, and the command that writes it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset import Split, load_split
from core.pictures import thumbnails

RNG = np.random.default_rng(0)


def test_a_contact_print_holds_16_greys() -> None:
    pictures = RNG.integers(0, 256, (7, 28, 28), np.uint8)
    file = Image.open(io.BytesIO(thumbnails.contact_print(pictures, 3)))
    greys = np.asarray(file.convert("L"))
    assert greys.shape == (84, 84)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, 3)
        cell = greys[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        assert np.array_equal(cell, picture // 16 * 17)
    assert not greys[56:, 28:].any()


def test_the_shipped_thumbnails_are_the_test_images() -> None:
    with Image.open(thumbnails.THUMBNAILS_FILE) as picture:
        greys = np.asarray(picture.convert("L"))
    cells = greys.reshape(100, 28, 100, 28).swapaxes(1, 2).reshape(-1, 28, 28)
    assert np.array_equal(cells, load_split("test").images // 16 * 17)


def test_the_command_writes_the_thumbnails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = load_split("test").images[:150]
    split = Split(pictures, np.zeros(150, np.uint8))
    monkeypatch.setattr(thumbnails, "load_split", lambda _: split)
    monkeypatch.setattr(thumbnails, "THUMBNAILS_FILE", tmp_path / "static" / "thumbnails.png")
    assert thumbnails.main([]) == 0
    assert "--write" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert thumbnails.main(["--write"]) == 0
    assert capsys.readouterr().out == f"{thumbnails.THUMBNAILS_FILE}\n"
    with Image.open(thumbnails.THUMBNAILS_FILE) as picture:
        assert picture.size == (2800, 56)
    monkeypatch.setattr(thumbnails, "THUMBNAILS_FILE", tmp_path)
    assert thumbnails.main(["--write"]) == 1
    assert "cannot be written" in capsys.readouterr().err
