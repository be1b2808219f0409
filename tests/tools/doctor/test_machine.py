"""Checks of memory, temporary files, disk and port."""

from __future__ import annotations

import errno
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tools.doctor.single import only
from tools.doctor import machine
from tools.doctor.findings import Finding


@pytest.mark.parametrize(("kilobytes", "state"), [(24_000_000, "good"), (500_000, "warning")])
def test_memory(tmp_path: Path, kilobytes: int, state: str) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal:  99999999 kB\nMemAvailable:  {kilobytes} kB\n")
    finding = only(machine.check_memory(meminfo))
    assert finding.state == state
    assert f"{kilobytes * 1024 / 1e9:.1f} GB available" in finding.text


def test_unknown_memory_is_no_finding(tmp_path: Path) -> None:
    assert list(machine.check_memory(tmp_path / "meminfo")) == []


def test_temporary_files() -> None:
    assert only(machine.check_temporary_folder()).state == "good"


def test_temporary_files_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    finding = only(machine.check_temporary_folder())
    assert finding.state == "broken"
    assert "TMPDIR" in finding.text


@pytest.mark.parametrize(("free", "state"), [(10**10, "good"), (10**8, "warning")])
def test_disk(monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    assert only(machine.check_disk_space()).state == state


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Starts a server that knows some addresses, and returns its port."""
    servers = []

    def start(*known: str) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path in known else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_free_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    assert only(machine.check_port(number)) == Finding("good", f"port {number}: free")


def test_port_of_the_app(serve: Callable[..., int]) -> None:
    number = serve("/_stcore/health", "/app/static/test_images.png")
    assert only(machine.check_port(number)) == Finding(
        "good", f"port {number}: the app answers there"
    )


def test_port_of_another_streamlit_app(serve: Callable[..., int]) -> None:
    number = serve("/_stcore/health")
    finding = only(machine.check_port(number))
    assert finding.state == "broken"
    assert f"--server.port {number + 1}" in finding.text


def test_default_port_of_another_program_is_a_warning(
    serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "DEFAULT_PORT", serve())
    assert only(machine.check_port()).state == "warning"


def test_port_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_socket: object, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(machine.socket, "socket", type("", (socket.socket,), {"bind": refuse}))
    finding = only(machine.check_port(80))
    assert finding.state == "broken"
    assert "Permission denied" in finding.text
