"""`tools.advisories` asks an index that tells much, little or nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools import advisories

BAD_NAME, BAD_VERSION = advisories.KNOWN_BAD


def advisory(name: str, *aliases: str, withdrawn: str | None = None) -> dict[str, Any]:
    return {"id": name, "aliases": aliases, "withdrawn": withdrawn}


def release(version: str, *listed: dict[str, Any], yanked: bool = False) -> dict[str, Any]:
    """What PyPI's JSON API tells of a release."""
    files = [{"yanked": yanked}]
    return {"info": {"version": version}, "urls": files, "vulnerabilities": listed}


KNOWN_BAD = {f"{BAD_NAME}/{BAD_VERSION}": release(BAD_VERSION, advisory("PYSEC-2017-94"))}


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Runs the command for a pin, with an index that has these pages; returns status and output."""
    servers = []

    def run(pages: dict[str, Any], *lines: str) -> tuple[int, str]:
        class Index(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                key = self.path.removeprefix("/pypi/").removesuffix("/json")
                body = json.dumps(pages.get(key)).encode()
                self.send_response(200 if key in pages else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        (tmp_path / "requirements.txt").write_text("\n".join(lines))
        status = advisories.main(
            [
                f"--index=http://127.0.0.1:{server.server_address[1]}",
                f"--requirements={tmp_path / 'requirements.txt'}",
            ]
        )
        return status, capsys.readouterr().out

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


Run = Callable[..., tuple[int, str]]


def row(output: str, name: str) -> list[str]:
    """The words of a release's row behind its name."""
    (line,) = (line for line in output.splitlines() if line.startswith(name))
    return line.removeprefix(name).split()


def test_nothing_is_known(run: Run) -> None:
    status, output = run({**KNOWN_BAD, "mine/1.0": release("1.0")}, "mine==1.0")
    assert (status, row(output, "mine 1.0")) == (0, ["no", "none"])


def test_an_advisory_is_named_once_and_not_if_withdrawn(run: Run) -> None:
    pages = release(
        "1.0",
        advisory("PYSEC-1", "CVE-1", "GHSA-1"),
        advisory("GHSA-1", "CVE-1", "PYSEC-1"),
        advisory("PYSEC-2", withdrawn="2026-01-01"),
    )
    status, output = run({**KNOWN_BAD, "mine/1.0": pages}, "mine==1.0")
    assert (status, row(output, "mine 1.0")) == (1, ["no", "PYSEC-1"])


def test_a_withdrawn_release(run: Run) -> None:
    status, output = run({**KNOWN_BAD, "mine/1.0": release("1.0", yanked=True)}, "mine==1.0")
    assert (status, row(output, "mine 1.0")) == (1, ["yanked", "none"])


@pytest.mark.parametrize(
    ("pin", "status", "words"),
    [("2.0", 0, ["no", "none"]), ("1.0", 1, ["yanked", "not", "told"])],
)
def test_an_index_that_tells_of_the_newest_release_alone(
    run: Run, pin: str, status: int, words: list[str]
) -> None:
    releases = {"1.0": [{"yanked": True}], "2.0": [{"yanked": False}]}
    newest = {
        BAD_NAME: KNOWN_BAD[f"{BAD_NAME}/{BAD_VERSION}"],
        "mine": {**release("2.0"), "releases": releases},
    }
    found, output = run(newest, f"mine=={pin}")
    assert (found, row(output, f"mine {pin}")) == (status, words)


def test_an_older_pin_without_a_word_is_not_called_safe(run: Run) -> None:
    newest = {**release("2.0"), "releases": {"1.0": [{"yanked": False}]}}
    status, output = run({**KNOWN_BAD, "mine": newest}, "mine==1.0")
    assert (status, row(output, "mine 1.0")) == (2, ["no", "not", "told"])


@pytest.mark.parametrize("known", [{}, {f"{BAD_NAME}/{BAD_VERSION}": release(BAD_VERSION)}])
def test_an_index_whose_lists_are_always_empty(run: Run, known: dict[str, Any]) -> None:
    status, output = run({**known, "mine/1.0": release("1.0")}, "mine==1.0")
    assert (status, row(output, "mine 1.0")) == (2, ["no", "not", "told"])
    assert f"has no advisories: not even for {BAD_NAME} {BAD_VERSION}" in output


def test_a_package_that_the_index_does_not_have(run: Run) -> None:
    status, output = run(KNOWN_BAD, "mine==1.0")
    assert (status, row(output, "mine 1.0")) == (2, ["not", "told", "not", "told"])


def test_no_index(capsys: pytest.CaptureFixture[str]) -> None:
    assert advisories.main(["--index=http://127.0.0.1:9"]) == 2
    assert "gives no answer" in capsys.readouterr().err


def test_pins_of_all_files_for_all_machines() -> None:
    pins = dict(advisories.pins(advisories.ROOT / "requirements-dev.txt"))
    assert {"streamlit", "tensorflow", "tensorflow-cpu", "pytest"} <= set(pins)
    assert all(version[0].isdigit() for version in pins.values())
