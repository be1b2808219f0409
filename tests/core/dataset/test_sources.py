"""Which folder a split is loaded from."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests

from core import dataset
from core.dataset import DatasetError, sources
from tests.core.dataset.miniature import (
    COUNTS,
    PREFIXES,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    assert_refused,
)


class TestLoadSplit:
    @pytest.mark.usefixtures("chosen")
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_gives_images_and_labels(
        self, split: dataset.SplitName, arrays: dict[str, np.ndarray]
    ) -> None:
        loaded = dataset.load_split(split)
        np.testing.assert_array_equal(loaded.images, arrays[f"{PREFIXES[split]}-images-idx3-ubyte"])
        np.testing.assert_array_equal(loaded.labels, arrays[f"{PREFIXES[split]}-labels-idx1-ubyte"])
        assert loaded.images.dtype == loaded.labels.dtype == np.uint8

    @pytest.mark.usefixtures("chosen")
    def test_arrays_are_read_only(self) -> None:
        split = dataset.load_split("test")
        with pytest.raises(ValueError, match="read-only"):
            split.images[0] = 0
        with pytest.raises(ValueError, match="read-only"):
            split.labels[0] = 0

    def test_plain_files_are_read(self, chosen: Path, arrays: dict[str, np.ndarray]) -> None:
        for name in (TEST_IMAGES, TEST_LABELS):
            compressed = chosen / f"{name}.gz"
            (chosen / name).write_bytes(gzip.decompress(compressed.read_bytes()))
            compressed.unlink()
        np.testing.assert_array_equal(dataset.load_split("test").images, arrays[TEST_IMAGES])

    def test_other_compression_is_accepted(self, chosen: Path) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=1))
        assert len(dataset.load_split("test").images) == COUNTS["test"]

    def test_unknown_split_is_a_value_error(self) -> None:
        with pytest.raises(ValueError, match="'validation'"):
            dataset.load_split("validation")  # type: ignore[arg-type]


class TestSources:
    """Each file is one byte that tells which folder it came from; verifying is switched off."""

    @pytest.fixture
    def mark(
        self, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[str, int], Path]:
        def read_first_byte(path: Path, _file: object) -> np.ndarray:
            return np.frombuffer(path.read_bytes(), np.uint8)

        monkeypatch.setattr(sources, "read_idx", read_first_byte)

        def fill(folder_name: str, marker: int) -> Path:
            folder = write(folder_name)
            for path in folder.iterdir():
                path.write_bytes(bytes([marker]))
            return folder

        return fill

    def test_order(self, mark: Callable[[str, int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
        def source() -> int:
            return int(dataset.load_split("test").labels[0])

        mark("CACHE_DIR", 4)
        assert source() == 4
        mark("BUNDLED_DIR", 3)
        assert source() == 3
        mark("SYSTEM_DIR", 2)
        assert source() == 2
        monkeypatch.setenv("FASHION_MNIST_DIR", str(mark("chosen", 1)))
        assert source() == 1

    def test_empty_variable_counts_as_unset(
        self, mark: Callable[[str, int], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mark("SYSTEM_DIR", 2)
        monkeypatch.setenv("FASHION_MNIST_DIR", "")
        assert dataset.load_split("test").labels[0] == 2

    def test_folder_with_half_a_split_is_passed_over(
        self, mark: Callable[[str, int], Path]
    ) -> None:
        (mark("SYSTEM_DIR", 2) / f"{TEST_LABELS}.gz").unlink()
        mark("CACHE_DIR", 4)
        split = dataset.load_split("test")
        assert (split.images[0], split.labels[0]) == (4, 4)

    def test_chosen_folder_is_the_only_one(
        self,
        write: Callable[[str], Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write("SYSTEM_DIR")
        monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "nowhere"))
        assert_refused(tmp_path / "nowhere" / f"{TEST_IMAGES}.gz", "is missing")
        assert not dataset.train_available()

    @pytest.mark.parametrize(
        ("folder_name", "remedy"),
        [
            ("SYSTEM_DIR", "reinstall the package dataset-fashion-mnist."),
            ("BUNDLED_DIR", "restore it from the repository."),
            ("CACHE_DIR", "run `python -m core.dataset download` to replace it."),
        ],
    )
    def test_damaged_file_is_reported_with_the_remedy_of_its_folder(
        self, folder_name: str, remedy: str, write: Callable[[str], Path]
    ) -> None:
        path = write(folder_name) / f"{TEST_LABELS}.gz"
        path.write_bytes(b"damaged")
        with pytest.raises(DatasetError) as caught:
            dataset.load_split("test")
        assert str(caught.value).startswith(f"{path} is ")
        assert str(caught.value).endswith(remedy)

    def test_damaged_file_does_not_fall_through(self, write: Callable[[str], Path]) -> None:
        path = write("SYSTEM_DIR") / f"{TEST_IMAGES}.gz"
        path.write_bytes(b"damaged")
        write("CACHE_DIR")
        with pytest.raises(DatasetError, match="SYSTEM_DIR"):
            dataset.load_split("test")

    @pytest.mark.usefixtures("write")
    def test_nothing_anywhere_says_how_to_get_it_and_downloads_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            requests.Session, "request", lambda *_, **__: pytest.fail("a download began")
        )
        with pytest.raises(DatasetError) as caught:
            dataset.load_split("train")
        message = str(caught.value)
        assert f"{TRAIN_IMAGES}.gz and {TRAIN_LABELS}.gz" in message
        assert "run `python -m core.dataset download`" in message

    def test_train_available(self, write: Callable[[str], Path]) -> None:
        assert not dataset.train_available()
        folder = write("CACHE_DIR")
        assert dataset.train_available()
        (folder / f"{TRAIN_LABELS}.gz").unlink()
        assert not dataset.train_available()
