"""Damaged and foreign files are refused in one sentence."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.core.dataset.miniature import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    assert_refused,
    idx_bytes,
)


class TestDamage:
    def test_missing(self, chosen: Path) -> None:
        path = chosen / f"{TEST_LABELS}.gz"
        path.unlink()
        assert_refused(path, "is missing or not readable")

    def test_unreadable(self, chosen: Path) -> None:
        path = chosen / f"{TEST_LABELS}.gz"
        path.unlink()
        path.mkdir()
        assert_refused(path, "cannot be read (Is a directory)")

    def test_truncated(self, chosen: Path, arrays: dict[str, np.ndarray]) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes(gzip.compress(idx_bytes(arrays[TEST_IMAGES])[:-1]))
        assert_refused(path, "is cut short")

    def test_empty(self, chosen: Path) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes(b"")
        assert_refused(path, "is too short")

    def test_gzip_cut_off(self, chosen: Path) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes(path.read_bytes()[:-100])
        assert_refused(path, "is a damaged or cut-off gzip file")

    @pytest.mark.parametrize("position", [-6, 3000], ids=["checksum", "middle"])
    def test_gzip_damaged(self, chosen: Path, position: int) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        content = bytearray(path.read_bytes())
        content[position] ^= 0xFF
        path.write_bytes(content)
        assert_refused(path, "is a damaged or cut-off gzip file")

    def test_gzip_with_trailing_garbage(self, chosen: Path) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes(path.read_bytes() + b"garbage")
        assert_refused(path, "is a damaged or cut-off gzip file")

    def test_images_where_labels_belong(self, chosen: Path) -> None:
        path = chosen / f"{TEST_LABELS}.gz"
        path.write_bytes((chosen / f"{TEST_IMAGES}.gz").read_bytes())
        assert_refused(path, "has the shape (200, 28, 28) where (200,) belongs")

    def test_labels_where_images_belong(self, chosen: Path) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes((chosen / f"{TEST_LABELS}.gz").read_bytes())
        assert_refused(path, "has the shape (200,) where (200, 28, 28) belongs")

    def test_train_where_test_belongs(self, chosen: Path) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes((chosen / f"{TRAIN_IMAGES}.gz").read_bytes())
        assert_refused(path, "has the shape (300, 28, 28) where (200, 28, 28) belongs")

    @pytest.mark.parametrize("position", [16, -1], ids=["first pixel", "last pixel"])
    def test_flipped_bit(self, chosen: Path, arrays: dict[str, np.ndarray], position: int) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        content = bytearray(idx_bytes(arrays[TEST_IMAGES]))
        content[position] ^= 1
        path.write_bytes(gzip.compress(content))
        assert_refused(path, "differs from the published file")

    @pytest.mark.parametrize(
        ("header", "fault"),
        [
            (b"\x00\x00\x0d\x03", "is not an IDX file of unsigned bytes"),
            (b"\x01\x00\x08\x03", "is not an IDX file of unsigned bytes"),
            (b"\x00\x00\x08\x02", "has the shape (200, 28) where"),
        ],
        ids=["floats", "no zero", "two dimensions"],
    )
    def test_wrong_magic_number(
        self, chosen: Path, arrays: dict[str, np.ndarray], header: bytes, fault: str
    ) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes(gzip.compress(header + idx_bytes(arrays[TEST_IMAGES])[4:]))
        assert_refused(path, fault)

    def test_header_that_ends_early(self, chosen: Path) -> None:
        path = chosen / f"{TEST_IMAGES}.gz"
        path.write_bytes(gzip.compress(b"\x00\x00\x08\x03\x00"))
        assert_refused(path, "is not an IDX file of unsigned bytes")

    @pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
    def test_trailing_bytes(
        self, chosen: Path, arrays: dict[str, np.ndarray], pack: Callable[[bytes], bytes]
    ) -> None:
        path = chosen / f"{TEST_LABELS}.gz"
        path.write_bytes(pack(idx_bytes(arrays[TEST_LABELS]) + b"\x00"))
        assert_refused(path, "has bytes after its last item")

    def test_decompression_bomb_is_not_unpacked(
        self, chosen: Path, arrays: dict[str, np.ndarray]
    ) -> None:
        path = chosen / f"{TEST_LABELS}.gz"
        bomb = gzip.compress(idx_bytes(arrays[TEST_LABELS]) + bytes(1_000_000))
        # Reading to the end would meet the broken checksum and report another fault.
        path.write_bytes(bomb[:-8] + bytes(8))
        assert_refused(path, "has bytes after its last item")
