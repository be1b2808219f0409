"""Most tests run on a miniature data set that stands in for the published one."""

import gzip
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from core import dataset
from core.dataset import DatasetError, Split

COUNTS = {"train": 300, "test": 200}
PREFIXES = {"train": "train", "test": "t10k"}
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
ALL_FILES = {f"{name}.gz" for name in (TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS)}
FIRST_OF_CLASS = [1, 16, 5, 3, 19, 8, 18, 6, 23, 0]

needs_train = pytest.mark.skipif(
    not dataset.train_available() and "CI" not in os.environ,
    reason="the training split is not on this machine (`python -m core.dataset download`)",
)


def idx_bytes(array: np.ndarray) -> bytes:
    header = [0, 0, 8, array.ndim]
    for length in array.shape:
        header += length.to_bytes(4, "big")
    return bytes(header) + array.tobytes()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """The miniature data set: file name to contents."""
    rng = np.random.default_rng(0)
    contents = {}
    for split, count in COUNTS.items():
        images = rng.integers(0, 16, (count, 28, 28), np.uint8)
        contents[f"{PREFIXES[split]}-images-idx3-ubyte"] = images
        contents[f"{PREFIXES[split]}-labels-idx1-ubyte"] = np.arange(count, dtype=np.uint8) % 10
    return contents


@pytest.fixture
def write(
    arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Publish the miniature data set, with no file of it anywhere; return what fills a folder."""

    def describe(name: str) -> dataset._IdxFile:
        digest = hashlib.sha256(idx_bytes(arrays[name])).hexdigest()
        return dataset._IdxFile(name, arrays[name].shape, digest)

    files = {
        "train": (describe(TRAIN_IMAGES), describe(TRAIN_LABELS)),
        "test": (describe(TEST_IMAGES), describe(TEST_LABELS)),
    }
    monkeypatch.setattr(dataset, "_FILES", files)
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    for constant in ("SYSTEM_DIR", "BUNDLED_DIR", "CACHE_DIR"):
        monkeypatch.setattr(dataset, constant, tmp_path / constant)

    def fill(folder_name: str) -> Path:
        folder = tmp_path / folder_name
        folder.mkdir()
        for name, array in arrays.items():
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        return folder

    return fill


@pytest.fixture
def chosen(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good files that FASHION_MNIST_DIR names."""
    folder = write("chosen")
    monkeypatch.setenv("FASHION_MNIST_DIR", str(folder))
    return folder


def assert_refused(path: Path, fault: str) -> None:
    """The test split must be refused in one sentence that names `path`, fault and remedy."""
    with pytest.raises(DatasetError) as caught:
        dataset.load_split("test")
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert fault in message
    assert message.endswith("put Fashion-MNIST's original files there, or unset FASHION_MNIST_DIR.")
    assert "\n" not in message


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

        monkeypatch.setattr(dataset, "_read_idx", read_first_byte)

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
        monkeypatch.setattr(dataset, "_fetch", lambda *_: pytest.fail("a download began"))
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


class Publisher:
    """An HTTP server whose answers a test can spoil."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = bodies
        self.failures: list[int] = []
        """HTTP statuses for the first requests, instead of an answer."""
        self.breaks_off: set[str] = set()
        """Files whose connection ends half-way."""
        self.falls_silent = False
        self.requests: Counter[str] = Counter()
        self.closing = threading.Event()
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.lstrip("/")
        self.requests[name] += 1
        if self.falls_silent:
            self.closing.wait()
            return
        if self.failures:
            request.send_error(self.failures.pop(0))
            return
        body = self.bodies[name]
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if name in self.breaks_off else body)

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


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


class TestDownload:
    @pytest.fixture
    def publisher(
        self, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Publisher]:
        bodies = {path.name: path.read_bytes() for path in write("published").iterdir()}
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        # Pooch sleeps between attempts.
        monkeypatch.setattr(time, "sleep", lambda _: None)
        publisher = Publisher(bodies)
        yield publisher
        publisher.close()

    def assert_fails(self, url: str, *words: str) -> None:
        with pytest.raises(DatasetError) as caught:
            dataset.download(base_url=url)
        message = str(caught.value)
        for word in (*words, "python -m core.dataset download"):
            assert word in message
        assert "\n" not in message

    def test_good_download_serves_both_splits(self, publisher: Publisher) -> None:
        folder = dataset.download(base_url=publisher.url)
        assert folder == dataset.CACHE_DIR
        assert names_in(folder) == ALL_FILES
        assert len(dataset.load_split("train").images) == COUNTS["train"]
        assert len(dataset.load_split("test").images) == COUNTS["test"]

    def test_progress_grows_to_each_files_size(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dataset, "_CHUNK_SIZE", 4096)
        calls: list[tuple[str, int, int]] = []
        dataset.download(lambda *call: calls.append(call), base_url=publisher.url)
        for name, body in publisher.bodies.items():
            received = [call[1] for call in calls if call[0] == name]
            assert received == sorted(set(received))
            assert received[-1] == len(body)
            assert {call[2] for call in calls if call[0] == name} == {len(body)}
        assert len(calls) > len(ALL_FILES)

    def test_other_folder(self, publisher: Publisher, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b"
        assert dataset.download(base_url=publisher.url, folder=folder) == folder
        assert names_in(folder) == ALL_FILES
        assert not dataset.CACHE_DIR.exists()

    def test_good_files_are_not_fetched_again(self, publisher: Publisher) -> None:
        folder = dataset.download(base_url=publisher.url)
        (folder / f"{TEST_LABELS}.gz").unlink()
        dataset.download(base_url=publisher.url)
        assert publisher.requests.pop(f"{TEST_LABELS}.gz") == 2
        assert set(publisher.requests.values()) == {1}

    def test_damaged_file_is_replaced(self, publisher: Publisher) -> None:
        path = dataset.download(base_url=publisher.url) / f"{TEST_LABELS}.gz"
        path.write_bytes(b"damaged")
        dataset.download(base_url=publisher.url)
        assert path.read_bytes() == publisher.bodies[path.name]

    def test_failing_response_is_tried_again(self, publisher: Publisher) -> None:
        publisher.failures = [503]
        dataset.download(base_url=publisher.url)
        assert names_in(dataset.CACHE_DIR) == ALL_FILES
        assert publisher.requests.total() == len(ALL_FILES) + 1

    def test_failing_server(self, publisher: Publisher) -> None:
        publisher.failures = [503] * 100
        self.assert_fails(publisher.url, f"{publisher.url}{TRAIN_IMAGES}.gz", "HTTP status 503")
        assert publisher.requests.total() == 1 + dataset.RETRIES
        assert names_in(dataset.CACHE_DIR) == set()

    def test_unreachable_server(self, publisher: Publisher) -> None:
        publisher.close()
        self.assert_fails(publisher.url, f"{publisher.url}{TRAIN_IMAGES}.gz", "ConnectionError")
        assert names_in(dataset.CACHE_DIR) == set()

    def test_silent_server(self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
        publisher.falls_silent = True
        monkeypatch.setattr(dataset, "TIMEOUT", (5.0, 0.05))
        self.assert_fails(publisher.url, "ReadTimeout")
        assert names_in(dataset.CACHE_DIR) == set()

    def test_connection_that_breaks_off_keeps_what_was_good(self, publisher: Publisher) -> None:
        publisher.breaks_off = {f"{TEST_IMAGES}.gz"}
        self.assert_fails(publisher.url, f"{TEST_IMAGES}.gz", "ChunkedEncodingError")
        assert names_in(dataset.CACHE_DIR) == {f"{TRAIN_IMAGES}.gz", f"{TRAIN_LABELS}.gz"}

        publisher.breaks_off = set()
        dataset.download(base_url=publisher.url)
        assert names_in(dataset.CACHE_DIR) == ALL_FILES
        assert publisher.requests[f"{TRAIN_IMAGES}.gz"] == 1

    def test_truncated_body(self, publisher: Publisher) -> None:
        publisher.bodies[f"{TEST_LABELS}.gz"] = publisher.bodies[f"{TEST_LABELS}.gz"][:-9]
        self.assert_fails(publisher.url, f"{TEST_LABELS}.gz is a damaged or cut-off gzip file")
        assert f"{TEST_LABELS}.gz" not in names_in(dataset.CACHE_DIR)

    @pytest.mark.parametrize(
        "body", [b"<html>Sign in to this network</html>", b""], ids=["web page", "nothing"]
    )
    def test_wrong_content_is_never_put_in_place(self, publisher: Publisher, body: bytes) -> None:
        publisher.bodies = dict.fromkeys(publisher.bodies, body)
        self.assert_fails(publisher.url, f"{publisher.url}{TRAIN_IMAGES}.gz is ")
        assert names_in(dataset.CACHE_DIR) == set()

    def test_body_without_end_is_given_up(self, publisher: Publisher) -> None:
        publisher.bodies[f"{TRAIN_LABELS}.gz"] = bytes(1_000_000)
        self.assert_fails(publisher.url, f"{TRAIN_LABELS}.gz is larger than the published file")
        assert names_in(dataset.CACHE_DIR) == {f"{TRAIN_IMAGES}.gz"}

    def test_remains_of_a_killed_download_are_never_served(self, publisher: Publisher) -> None:
        dataset.CACHE_DIR.mkdir()
        (dataset.CACHE_DIR / "tmp1234").write_bytes(publisher.bodies[f"{TRAIN_IMAGES}.gz"][:100])
        assert not dataset.train_available()
        dataset.download(base_url=publisher.url)
        assert names_in(dataset.CACHE_DIR) == ALL_FILES | {"tmp1234"}
        assert len(dataset.load_split("train").images) == COUNTS["train"]

    def test_full_disk(self, publisher: Publisher) -> None:
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(DatasetError) as caught:
                dataset.download(base_url=publisher.url)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        path = dataset.CACHE_DIR / f"{TRAIN_IMAGES}.gz"
        assert str(caught.value).startswith(f"{path} cannot be written (File too large): free")
        assert names_in(dataset.CACHE_DIR) == set()

    def test_cache_that_cannot_be_written(self, publisher: Publisher) -> None:
        dataset.CACHE_DIR.write_text("a file where the folder should be")
        self.assert_fails(publisher.url, str(dataset.CACHE_DIR / TRAIN_IMAGES), "cannot be written")

    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write")
    def test_cache_without_permission(self, publisher: Publisher) -> None:
        dataset.CACHE_DIR.mkdir(mode=0o500)
        self.assert_fails(publisher.url, str(dataset.CACHE_DIR / TRAIN_IMAGES), "cannot be written")


class TestBundle:
    """What lies in `assets/fashion_mnist`."""

    @pytest.fixture
    def only_the_bundle(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
        for constant in ("SYSTEM_DIR", "CACHE_DIR"):
            monkeypatch.setattr(dataset, constant, tmp_path / constant)

    @pytest.mark.usefixtures("only_the_bundle")
    def test_gives_the_test_split(self) -> None:
        split = dataset.load_split("test")
        assert split.images.shape == (10_000, 28, 28)
        assert np.bincount(split.labels).tolist() == [1000] * 10
        assert dataset.CLASS_NAMES[split.labels[2000]] == "Bag"
        with pytest.raises(DatasetError):
            dataset.load_split("train")

    def test_has_its_licence_and_is_small(self) -> None:
        assert {"LICENSE", "README.md"} <= names_in(dataset.BUNDLED_DIR)
        assert "2017 Zalando SE" in (dataset.BUNDLED_DIR / "LICENSE").read_text("utf-8")
        assert sum(path.stat().st_size for path in dataset.BUNDLED_DIR.iterdir()) <= 5_000_000

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
        content = bytearray((dataset.BUNDLED_DIR / dataset.SUMMARY_NAME).read_bytes())
        content[position] ^= 1
        (tmp_path / dataset.SUMMARY_NAME).write_bytes(content)
        monkeypatch.setattr(dataset, "BUNDLED_DIR", tmp_path)
        with pytest.raises(DatasetError, match=r"train_summary\.npz is damaged .*: restore it"):
            dataset.load_train_summary()

    def test_missing_summary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dataset, "BUNDLED_DIR", tmp_path)
        with pytest.raises(DatasetError, match=r"train_summary\.npz cannot be read .*: restore it"):
            dataset.load_train_summary()

    @pytest.mark.usefixtures("chosen")
    def test_is_the_same_each_time(self, tmp_path: Path) -> None:
        first, second = dataset.bundle(tmp_path / "first"), dataset.bundle(tmp_path / "second")
        expected = {f"{TEST_IMAGES}.gz", f"{TEST_LABELS}.gz", dataset.SUMMARY_NAME}
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
        dataset.bundle()
        monkeypatch.delenv("FASHION_MNIST_DIR")
        np.testing.assert_array_equal(dataset.load_split("test").images, arrays[TEST_IMAGES])

    @pytest.mark.usefixtures("chosen")
    def test_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "taken").touch()
        with pytest.raises(DatasetError, match=r"taken cannot be written \(File exists\)"):
            dataset.bundle(tmp_path / "taken")


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


class TestCommandLine:
    def test_download_prints_the_folder(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(dataset, "download", lambda _: Path("cache"))
        assert dataset.main(["download"]) == 0
        assert capsys.readouterr().out == "cache\n"

    @pytest.mark.usefixtures("write")
    def test_error_is_one_line_and_status_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert dataset.main(["bundle"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"No folder holds both {TEST_IMAGES}.gz")
        assert captured.err.count("\n") == 1

    def test_progress_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        dataset._print_progress("file.gz", 1_000_000, 2_000_000)
        dataset._print_progress("file.gz", 2_000_000, 2_000_000)
        expected = "\rfile.gz: 1.0 of 2.0 MB\rfile.gz: 2.0 of 2.0 MB\n"
        assert capsys.readouterr().err == expected


def test_class_names() -> None:
    assert len(dataset.CLASS_NAMES) == 10
    assert dataset.CLASS_NAMES[0] == "T-shirt/top"
    assert dataset.CLASS_NAMES[9] == "Ankle boot"


def test_import_brings_in_neither_tensorflow_nor_streamlit() -> None:
    code = "import sys, core.dataset; print({'tensorflow', 'keras', 'streamlit'} & {*sys.modules})"
    root = Path(dataset.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
