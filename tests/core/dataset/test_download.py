"""Download from a server whose answers a test can spoil."""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core import dataset
from core.dataset import DatasetError, download, sources
from tests.core.dataset.miniature import (
    ALL_FILES,
    COUNTS,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    names_in,
)


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
            download.download(base_url=url)
        message = str(caught.value)
        for word in (*words, "python -m core.dataset download"):
            assert word in message
        assert "\n" not in message

    def test_good_download_serves_both_splits(self, publisher: Publisher) -> None:
        folder = download.download(base_url=publisher.url)
        assert folder == sources.CACHE_DIR
        assert names_in(folder) == ALL_FILES
        assert len(dataset.load_split("train").images) == COUNTS["train"]
        assert len(dataset.load_split("test").images) == COUNTS["test"]

    def test_progress_grows_to_each_files_size(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "CHUNK_BYTES", 4096)
        calls: list[tuple[str, int, int]] = []
        download.download(lambda *call: calls.append(call), base_url=publisher.url)
        for name, body in publisher.bodies.items():
            received = [call[1] for call in calls if call[0] == name]
            assert received == sorted(set(received))
            assert received[-1] == len(body)
            assert {call[2] for call in calls if call[0] == name} == {len(body)}
        assert len(calls) > len(ALL_FILES)

    def test_other_folder(self, publisher: Publisher, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b"
        assert download.download(base_url=publisher.url, folder=folder) == folder
        assert names_in(folder) == ALL_FILES
        assert not sources.CACHE_DIR.exists()

    def test_good_files_are_not_fetched_again(self, publisher: Publisher) -> None:
        folder = download.download(base_url=publisher.url)
        (folder / f"{TEST_LABELS}.gz").unlink()
        download.download(base_url=publisher.url)
        assert publisher.requests.pop(f"{TEST_LABELS}.gz") == 2
        assert set(publisher.requests.values()) == {1}

    def test_damaged_file_is_replaced(self, publisher: Publisher) -> None:
        path = download.download(base_url=publisher.url) / f"{TEST_LABELS}.gz"
        path.write_bytes(b"damaged")
        download.download(base_url=publisher.url)
        assert path.read_bytes() == publisher.bodies[path.name]

    def test_failing_response_is_tried_again(self, publisher: Publisher) -> None:
        publisher.failures = [503]
        download.download(base_url=publisher.url)
        assert names_in(sources.CACHE_DIR) == ALL_FILES
        assert publisher.requests.total() == len(ALL_FILES) + 1

    def test_failing_server(self, publisher: Publisher) -> None:
        publisher.failures = [503] * 100
        self.assert_fails(publisher.url, f"{publisher.url}{TRAIN_IMAGES}.gz", "HTTP status 503")
        assert publisher.requests.total() == 1 + download.RETRIES
        assert names_in(sources.CACHE_DIR) == set()

    def test_unreachable_server(self, publisher: Publisher) -> None:
        publisher.close()
        self.assert_fails(publisher.url, f"{publisher.url}{TRAIN_IMAGES}.gz", "ConnectionError")
        assert names_in(sources.CACHE_DIR) == set()

    def test_silent_server(self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
        publisher.falls_silent = True
        monkeypatch.setattr(download, "TIMEOUT", (5.0, 0.05))
        self.assert_fails(publisher.url, "ReadTimeout")
        assert names_in(sources.CACHE_DIR) == set()

    def test_connection_that_breaks_off_keeps_what_was_good(self, publisher: Publisher) -> None:
        publisher.breaks_off = {f"{TEST_IMAGES}.gz"}
        self.assert_fails(publisher.url, f"{TEST_IMAGES}.gz", "ChunkedEncodingError")
        assert names_in(sources.CACHE_DIR) == {f"{TRAIN_IMAGES}.gz", f"{TRAIN_LABELS}.gz"}

        publisher.breaks_off = set()
        download.download(base_url=publisher.url)
        assert names_in(sources.CACHE_DIR) == ALL_FILES
        assert publisher.requests[f"{TRAIN_IMAGES}.gz"] == 1

    def test_truncated_body(self, publisher: Publisher) -> None:
        publisher.bodies[f"{TEST_LABELS}.gz"] = publisher.bodies[f"{TEST_LABELS}.gz"][:-9]
        self.assert_fails(publisher.url, f"{TEST_LABELS}.gz is a damaged or cut-off gzip file")
        assert f"{TEST_LABELS}.gz" not in names_in(sources.CACHE_DIR)

    @pytest.mark.parametrize(
        "body", [b"<html>Sign in to this network</html>", b""], ids=["web page", "nothing"]
    )
    def test_wrong_content_is_never_put_in_place(self, publisher: Publisher, body: bytes) -> None:
        publisher.bodies = dict.fromkeys(publisher.bodies, body)
        self.assert_fails(publisher.url, f"{publisher.url}{TRAIN_IMAGES}.gz is ")
        assert names_in(sources.CACHE_DIR) == set()

    def test_body_without_end_is_given_up(self, publisher: Publisher) -> None:
        publisher.bodies[f"{TRAIN_LABELS}.gz"] = bytes(1_000_000)
        self.assert_fails(publisher.url, f"{TRAIN_LABELS}.gz is larger than the published file")
        assert names_in(sources.CACHE_DIR) == {f"{TRAIN_IMAGES}.gz"}

    def test_remains_of_a_killed_download_are_never_served(self, publisher: Publisher) -> None:
        sources.CACHE_DIR.mkdir()
        (sources.CACHE_DIR / "tmp1234").write_bytes(publisher.bodies[f"{TRAIN_IMAGES}.gz"][:100])
        assert not dataset.train_available()
        download.download(base_url=publisher.url)
        assert names_in(sources.CACHE_DIR) == ALL_FILES | {"tmp1234"}
        assert len(dataset.load_split("train").images) == COUNTS["train"]

    def test_full_disk(self, publisher: Publisher) -> None:
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(DatasetError) as caught:
                download.download(base_url=publisher.url)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        path = sources.CACHE_DIR / f"{TRAIN_IMAGES}.gz"
        assert str(caught.value).startswith(f"{path} cannot be written (File too large): free")
        assert names_in(sources.CACHE_DIR) == set()

    def test_cache_that_cannot_be_written(self, publisher: Publisher) -> None:
        sources.CACHE_DIR.write_text("a file where the folder should be")
        self.assert_fails(publisher.url, str(sources.CACHE_DIR / TRAIN_IMAGES), "cannot be written")

    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write")
    def test_cache_without_permission(self, publisher: Publisher) -> None:
        sources.CACHE_DIR.mkdir(mode=0o500)
        self.assert_fails(publisher.url, str(sources.CACHE_DIR / TRAIN_IMAGES), "cannot be written")
