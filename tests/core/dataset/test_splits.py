"""Splits in memory."""

import numpy as np
import pytest

from core import dataset
from core.dataset import Split


def test_class_names() -> None:
    assert len(dataset.CLASS_NAMES) == 10
    assert dataset.CLASS_NAMES[0] == "T-shirt/top"
    assert dataset.CLASS_NAMES[9] == "Ankle boot"


class TestHoldOut:
    LABELS = np.repeat(np.arange(10, dtype=np.uint8), range(12, 132, 12))
    IMAGES = np.random.default_rng(0).integers(0, 256, (len(LABELS), 28, 28), np.uint8)
    SPLIT = Split(IMAGES, LABELS)

    def test_takes_the_same_share_of_each_class(self) -> None:
        rest, held_out = dataset.hold_out(self.SPLIT, 1 / 12, seed=0)
        assert np.bincount(held_out.labels).tolist() == list(range(1, 11))
        assert np.bincount(rest.labels).tolist() == list(range(11, 121, 11))

    def test_parts_the_images_with_their_labels_and_in_order(self) -> None:
        place = {image.tobytes(): index for index, image in enumerate(self.IMAGES)}
        parts = dataset.hold_out(self.SPLIT, 0.25, seed=3)
        places = [[place[image.tobytes()] for image in part.images] for part in parts]
        assert sorted(places[0] + places[1]) == list(range(len(self.LABELS)))
        for part, indices in zip(parts, places, strict=True):
            assert indices == sorted(indices)
            assert part.labels.tolist() == self.LABELS[indices].tolist()
            assert not part.images.flags.writeable

    def test_the_seed_decides_which(self) -> None:
        first, again, other = (
            dataset.hold_out(self.SPLIT, 0.5, seed)[1].images.tobytes() for seed in (0, 0, 1)
        )
        assert first == again
        assert first != other


def test_summarise() -> None:
    labels = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0], np.uint8)
    images = np.arange(11, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    summary = dataset.summarise(Split(images, labels))
    assert summary.class_counts.tolist() == [2, *[1] * 9]
    assert summary.example_indices.tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert summary.examples[:, 0, 0].tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert summary.class_means[:, 27, 27].tolist() == [9.5, 8, 7, 6, 5, 4, 3, 2, 1, 0]


class TestToInput:
    def test_scales_every_pixel_value(self) -> None:
        pixels = np.arange(784, dtype=np.uint16).astype(np.uint8).reshape(1, 28, 28)
        result = dataset.to_input(pixels)
        assert result.shape == (1, 28, 28, 1)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result[0, :, :, 0], (pixels[0] / 255).astype(np.float32))

    def test_no_images(self) -> None:
        assert dataset.to_input(np.empty((0, 28, 28), np.uint8)).shape == (0, 28, 28, 1)

    @pytest.mark.parametrize(
        "images",
        [np.zeros((28, 28), np.uint8), np.zeros((1, 28, 27), np.uint8), np.zeros((1, 28, 28))],
        ids=["one image", "other size", "floats"],
    )
    def test_refuses_other_arrays(self, images: np.ndarray) -> None:
        with pytest.raises(ValueError, match="expected uint8"):
            dataset.to_input(images)
