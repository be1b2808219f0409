"""Streamlit's files come from memory as they came from Streamlit, only smaller."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from server import static_files
from tests.harness.answer import Answer
from tests.harness.server import APP, EMPTY, Server
from tests.harness.student import Student

GZIP = {"Accept-Encoding": "gzip, deflate, br, zstd"}


@pytest.fixture(scope="module")
def before() -> dict[str, Answer]:
    """Streamlit's own answers, from a process that runs another app."""
    with Server(EMPTY) as server:
        return {path: Answer(server.url, path, **GZIP) for path in static_files._files()}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(APP) as server:
        with Student(server.url) as student:
            student.open("/")
        yield server


def test_a_file_is_the_same_and_smaller(server: Server, before: dict[str, Answer]) -> None:
    assert len(before) > 300
    for path, own in before.items():
        for _ in range(2):
            answer = Answer(server.url, path, **GZIP)
            packed = answer.headers["Content-Encoding"] == "gzip"
            assert answer.status == own.status == 200
            assert (gzip.decompress(answer.body) if packed else answer.body) == own.body
            for header in ("Content-Type", "Cache-Control"):
                assert answer.headers.get_all(header) == own.headers.get_all(header), path
            assert packed == path.endswith((".js", ".css", ".svg"))
            assert answer.headers["Vary"] == "Accept-Encoding"
    kept = sum(len(each.body) for path, each in before.items() if path.endswith(".js"))
    sent = sum(len(static_files._answer(path, True)[1]) for path in before if path.endswith(".js"))
    assert sent < 0.4 * kept


def test_a_browser_that_cannot_unpack(server: Server, before: dict[str, Answer]) -> None:
    path = next(path for path in before if path.endswith(".js"))
    answer = Answer(server.url, path, **{"Accept-Encoding": "identity"})
    assert answer.headers["Content-Encoding"] is None
    assert answer.body == before[path].body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/static/js/gone.js", 200),  # the page's HTML, as during an update
        ("/static/", 301),  # to the page
        ("/static/../streamlit_app.py", 400),
        ("/static/js/%2e%2e/%2e%2e/%2e%2e/cli_util.py", 400),
        ("//static/js/index.js", 400),
        ("/static/js/%00", 400),
    ],
)
def test_whatever_else_is_asked_for_is_streamlits_affair(
    server: Server, path: str, status: int
) -> None:
    answer = Answer(server.url, path, **GZIP)
    assert answer.status == status
    assert b"import" not in answer.body


def test_only_who_asks_for_a_file_gets_it(server: Server, before: dict[str, Answer]) -> None:
    path = next(iter(before))
    assert Answer(server.url, path, "HEAD", **GZIP).body == b""
    assert Answer(server.url, path, "POST", **GZIP).status == 405
