"""Checks of the data set, and of the picture of all test images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import dataset
from core.dataset import sources
from core.pictures.thumbnails import THUMBNAILS_FILE
from tests.harness.skips import needs_train
from tests.tools.doctor.single import only
from tools.doctor import data
from tools.doctor.findings import Finding


def test_sound_test_images_with_their_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.DIR_VARIABLE, raising=False)
    monkeypatch.setattr(sources, "SYSTEM_DIR", Path("nowhere"))
    finding = only(data.check_test_images())
    assert finding.state == "good"
    assert "10,000, verified" in finding.text
    assert finding.text.endswith(f"from {sources.BUNDLED_DIR}")


def test_missing_test_images(no_data: Path) -> None:
    finding = only(data.check_test_images())
    assert finding.state == "broken"
    assert f"{no_data}/t10k-images-idx3-ubyte.gz is missing" in finding.text
    assert dataset.folder_of("test") is None


def test_damaged_test_images(no_data: Path) -> None:
    shutil.copytree(sources.BUNDLED_DIR, no_data, dirs_exist_ok=True)
    assert only(data.check_test_images()).text.endswith(f"from {no_data}")
    (no_data / "t10k-labels-idx1-ubyte.gz").write_bytes(b"nothing")
    finding = only(data.check_test_images())
    assert finding.state == "broken"
    assert "t10k-labels-idx1-ubyte.gz is not an IDX file" in finding.text


def test_damaged_summary(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(sources.BUNDLED_DIR, no_data, dirs_exist_ok=True)
    (no_data / sources.SUMMARY_NAME).write_bytes(b"nothing")
    monkeypatch.setattr(sources, "BUNDLED_DIR", no_data)
    good, broken = data.check_test_images()
    assert (good.state, broken.state) == ("good", "broken")
    assert f"{sources.SUMMARY_NAME} is damaged" in broken.text


@needs_train
def test_training_images() -> None:
    finding = only(data.check_training_images())
    assert finding.state == "good"
    assert "60,000, verified" in finding.text


def test_training_images_are_not_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.DIR_VARIABLE, raising=False)
    monkeypatch.setattr(sources, "SYSTEM_DIR", tmp_path)
    monkeypatch.setattr(sources, "CACHE_DIR", tmp_path)
    finding = only(data.check_training_images())
    assert finding.state == "warning"
    assert "run `python -m core.dataset download`" in finding.text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(THUMBNAILS_FILE, tmp_path))


def test_bundled_thumbnails() -> None:
    assert only(data.check_thumbnails()) == Finding(
        "good", "static/test_images.png: shows the test images"
    )


def test_missing_thumbnails(file: Path) -> None:
    file.unlink()
    finding = only(data.check_thumbnails(file))
    assert finding.state == "broken"
    assert finding.text.endswith("`python -m core.images --write` writes it anew")


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_damaged_thumbnails(file: Path, content: bytes | None) -> None:
    file.write_bytes(file.read_bytes()[:100_000] if content is None else content)
    finding = only(data.check_thumbnails(file))
    assert finding.state == "broken"
    assert "damaged" in finding.text


def test_thumbnails_with_one_other_image(file: Path) -> None:
    with Image.open(file) as picture:
        pixels = np.array(picture.convert("L"))
    pixels[28:56, :28] = np.roll(pixels[28:56, :28], 1, axis=0)
    Image.fromarray(pixels).save(file)
    finding = only(data.check_thumbnails(file))
    assert finding.state == "broken"
    assert "does not show the test images" in finding.text


def test_thumbnails_of_another_size(file: Path) -> None:
    Image.new("L", (28, 28)).save(file)
    assert only(data.check_thumbnails(file)).state == "broken"


@pytest.mark.usefixtures("no_data")
def test_thumbnails_are_not_checked_without_test_images(file: Path) -> None:
    assert only(data.check_thumbnails(file)).state == "warning"
