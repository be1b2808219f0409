"""Checks of the machine: memory, temporary files, disk and port."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from core.paths import REPOSITORY
from tools.doctor.findings import Finding

DEFAULT_PORT = 8501
MIN_MEMORY_BYTES = 1_000_000_000
"""Four times what the server takes, because a class takes more, and counting needs a process."""
MIN_DISK_BYTES = 500_000_000

_MEMINFO = Path("/proc/meminfo")


def check_memory(meminfo: Path = _MEMINFO) -> Iterator[Finding]:
    """Check that there is memory for the server and a class."""
    if not meminfo.is_file():
        return  # Linux alone tells it without another package.
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    if not match:
        return
    free = int(match[1]) * 1024
    words = f"memory: {free / 1e9:.1f} GB available"
    if free < MIN_MEMORY_BYTES:
        least = f"{MIN_MEMORY_BYTES / 1e9:.0f} GB"
        yield Finding("warning", f"{words}, a class of students takes up to {least}: free some")
    else:
        yield Finding("good", words)


def check_temporary_folder() -> Iterator[Finding]:
    """Check that temporary files can be written."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"written")
            file.flush()
    except OSError as error:
        reason = error.strerror or error
        yield Finding(
            "broken",
            f"temporary files: cannot be written ({reason}): set TMPDIR to a writable folder",
        )
        return
    yield Finding("good", f"temporary files: can be written to {tempfile.gettempdir()}")


def check_disk_space(folder: Path = REPOSITORY) -> Iterator[Finding]:
    """Check that there is room for a model and the training images."""
    free = shutil.disk_usage(folder).free
    words = f"disk: {free / 1e9:.1f} GB free"
    if free < MIN_DISK_BYTES:
        yield Finding("warning", f"{words}, training and downloads may fail: free some")
    else:
        yield Finding("good", words)


def check_port(number: int | None = None) -> Iterator[Finding]:
    """Check that the app can listen on the port, or does so already."""
    asked, number = number is not None, number or DEFAULT_PORT
    try:
        with socket.socket() as probe:
            if os.name == "posix":  # As the server: a connection that has just ended is no matter.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", number))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            yield Finding("broken", f"port {number}: {error.strerror}: choose another by --port")
        elif _app_answers(number):
            yield Finding("good", f"port {number}: the app answers there")
        else:
            # Streamlit goes on to the next free port unless it was told this one.
            yield Finding(
                "broken" if asked else "warning",
                f"port {number}: another program has it: stop that, or "
                f"`streamlit run streamlit_app.py --server.port {number + 1}`",
            )
        return
    yield Finding("good", f"port {number}: free")


def _app_answers(number: int) -> bool:
    """Return whether this app answers: only it serves the picture of all test images."""
    from core.pictures.thumbnails import THUMBNAILS_FILE

    url = f"http://127.0.0.1:{number}"
    # A proxy that the environment names does not know this machine's ports.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for path in ("_stcore/health", f"app/static/{THUMBNAILS_FILE.name}"):
            opener.open(f"{url}/{path}", timeout=2).close()
    except (OSError, ValueError):  # no answer, an error, or no HTTP at all
        return False
    return True
