"""The files in `assets/fashion_mnist`."""

from pathlib import Path

import numpy as np
import pytest

from core import dataset
from core.dataset import DatasetError, bundle, sources
from tests.core.dataset.miniature import (
    TEST_IMAGES,
    TEST_LABELS,
    names_in,
)
from tests.harness.skips import needs_train

FIRST_OF_CLASS = [1, 16, 5, 3, 19, 8, 18, 6, 23, 0]


class TestBundle:
    """What lies in `assets/fashion_mnist`."""

    @pytest.fixture
    def only_the_bundle(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
        for constant in ("SYSTEM_DIR", "CACHE_DIR"):
            monkeypatch.setattr(sources, constant, tmp_path / constant)

    @pytest.mark.usefixtures("only_the_bundle")
    def test_gives_the_test_split(self) -> None:
        split = dataset.load_split("test")
        assert split.images.shape == (10_000, 28, 28)
        assert np.bincount(split.labels).tolist() == [1000] * 10
        assert dataset.CLASS_NAMES[split.labels[2000]] == "Bag"
        with pytest.raises(DatasetError):
            dataset.load_split("train")

    def test_has_its_licence_and_is_small(self) -> None:
        assert {"LICENSE", "README.md"} <= names_in(sources.BUNDLED_DIR)
        assert "2017 Zalando SE" in (sources.BUNDLED_DIR / "LICENSE").read_text("utf-8")
        assert sum(path.stat().st_size for path in sources.BUNDLED_DIR.iterdir()) <= 5_000_000

    def test_summary(self) -> None:
        summary = dataset.load_train_summary()
        assert summary.class_counts.tolist() == [6000] * 10
        assert summary.example_indices.tolist() == FIRST_OF_CLASS
        assert summary.examples.shape == summary.class_means.shape == (10, 28, 28)
        assert summary.examples.dtype == np.uint8
        assert summary.class_means.dtype == np.float32
        assert 100 < summary.class_means.max() <= 255
        assert not any(array.flags.writeable for array in vars(summary).values())

    @needs_train
    def test_summary_equals_the_training_split(self) -> None:
        train = dataset.load_split("train")
        summary = dataset.load_train_summary()
        np.testing.assert_array_equal(summary.examples, train.images[FIRST_OF_CLASS])
        np.testing.assert_array_equal(train.labels[FIRST_OF_CLASS], np.arange(10))
        for name, expected in vars(dataset.summarise(train)).items():
            np.testing.assert_array_equal(getattr(summary, name), expected)

    @pytest.mark.parametrize("position", [0, 20_000, -1])
    def test_damaged_summary(
        self, position: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = bytearray((sources.BUNDLED_DIR / sources.SUMMARY_NAME).read_bytes())
        content[position] ^= 1
        (tmp_path / sources.SUMMARY_NAME).write_bytes(content)
        monkeypatch.setattr(sources, "BUNDLED_DIR", tmp_path)
        with pytest.raises(DatasetError, match=r"train_summary\.npz is damaged .*: restore it"):
            dataset.load_train_summary()

    def test_missing_summary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sources, "BUNDLED_DIR", tmp_path)
        with pytest.raises(DatasetError, match=r"train_summary\.npz cannot be read .*: restore it"):
            dataset.load_train_summary()

    @pytest.mark.usefixtures("chosen")
    def test_is_the_same_each_time(self, tmp_path: Path) -> None:
        first, second = bundle.bundle(tmp_path / "first"), bundle.bundle(tmp_path / "second")
        expected = {f"{TEST_IMAGES}.gz", f"{TEST_LABELS}.gz", sources.SUMMARY_NAME}
        assert names_in(first) == names_in(second) == expected
        for name in expected:
            assert (first / name).read_bytes() == (second / name).read_bytes()
        time_stamp = (first / f"{TEST_IMAGES}.gz").read_bytes()[4:8]
        assert time_stamp == bytes(4)

    @pytest.mark.usefixtures("chosen")
    def test_bundle_of_test_split_can_be_loaded(
        self,
        arrays: dict[str, np.ndarray],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bundle.bundle()
        monkeypatch.delenv("FASHION_MNIST_DIR")
        np.testing.assert_array_equal(dataset.load_split("test").images, arrays[TEST_IMAGES])

    @pytest.mark.usefixtures("chosen")
    def test_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "taken").touch()
        with pytest.raises(DatasetError, match=r"taken cannot be written \(File exists\)"):
            bundle.bundle(tmp_path / "taken")
