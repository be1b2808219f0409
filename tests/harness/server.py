"""A Streamlit server as a process of its own, and what that process costs (Linux only)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "streamlit_app.py"
EMPTY = ROOT / "benchmarks" / "empty" / "streamlit_app.py"
PEER = ROOT / "benchmarks" / "peer" / "streamlit_app.py"

_START_TIMEOUT = 60.0


class Server:
    """`streamlit run SCRIPT` on a free port; a context manager that stops it at the end.

    `configured` starts it in the project's folder, so with `.streamlit/config.toml`; otherwise it
    runs in an empty folder, with Streamlit's defaults.
    """

    def __init__(
        self, script: Path, *, configured: bool = True, env: Mapping[str, str] | None = None
    ) -> None:
        """Start the server and wait until it answers; `start_seconds` says how long that took."""
        self._folder = tempfile.TemporaryDirectory()
        self._log = Path(self._folder.name) / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "streamlit", "run", str(script)]
        command += ["--server.headless=true", f"--server.port={self.port}"]
        command += ["--server.address=127.0.0.1", "--browser.gatherUsageStats=false"]
        started = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT if configured else self._folder.name,
                # The peer and the app import `core` from the project's folder.
                env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_healthy(started + _START_TIMEOUT)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.perf_counter() - started

    def _wait_until_healthy(self, deadline: float) -> None:
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except OSError:
                if self._process.poll() is not None or time.perf_counter() > deadline:
                    raise RuntimeError(f"the server did not start:\n{self.log()}") from None
                time.sleep(0.01)

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    def stop(self) -> None:
        """Stop the process; harmless when it has stopped already."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def log(self) -> str:
        """Everything the server has printed so far."""
        return self._log.read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system CPU time that the process has used so far, its ended threads' included.

        From the process's own CPU clock, which counts nanoseconds; /proc and psutil count ticks of
        10 ms, which is two moves of an empty page.
        """
        # What clock_getcpuclockid(3) returns for a process id.
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def memory_mb(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def has_tensorflow(self) -> bool:
        """Whether a TensorFlow library is mapped into the process."""
        maps = Path(f"/proc/{self._process.pid}/maps").read_text()
        return "-packages/tensorflow" in maps


def free_port() -> int:
    """A TCP port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
