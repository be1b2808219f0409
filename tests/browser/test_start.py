"""The app starts in each way that people start a Streamlit app, from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import APP, ROOT, free_port

START_TIMEOUT_S = 60.0
STREAMLIT = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.headless=true"]
UVICORN = [sys.executable, "-m", "uvicorn", "streamlit_app:app", "--host", "127.0.0.1"]
# By name: the command, the option for its port, and the folder of the app's addresses.
WAYS: dict[str, tuple[list[str], str, str]] = {
    "streamlit run": ([*STREAMLIT, "--server.address=127.0.0.1"], "--server.port", ""),
    "below a base path": (
        [*STREAMLIT, "--server.address=127.0.0.1", "--server.baseUrlPath=filters"],
        "--server.port",
        "/filters",
    ),
    "uvicorn": (UVICORN, "--port", ""),
}


@contextmanager
def started(way: str, folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Start the app in another folder; yield its address, and a function that returns its log."""
    command, port_option, base_path = WAYS[way]
    port, log = free_port(), folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, port_option, str(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}{base_path}"
            wait_until_healthy(f"{url}/_stcore/health", process, log)
            yield url, log.read_text
        finally:
            process.terminate()
            process.wait(20)


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (TimeoutError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"it did not start:\n{log.read_text()}")


@pytest.mark.parametrize("way", WAYS)
def test_app_works_from_another_folder(way: str, visit: Visit, tmp_path: Path) -> None:
    with started(way, tmp_path) as (url, log):
        page = visit(f"{url}/embedding?image=42")
        # Its own settings apply.
        assert "postScriptGC=false fileWatcherType=none enableStaticServing=true" in log()
        # A component draws, and the picture of all test images is there.
        expect(app.main(page).locator(".image-map canvas").first).to_be_visible()
        with urllib.request.urlopen(f"{url}/app/static/test_images.png") as answer:
            assert answer.headers["content-type"] == "image/png"
        # A link stays in the folder of the app.
        page.get_by_role("link", name="Filter explorer").first.click()
        app.assert_map(page, "conv_layer_1", 0)
        assert page.url.startswith(f"{url}/filter_explorer?image=42")
        # So does an unknown address.
        page.goto(f"{url}/nosuchpage?image=42")
        expect(page.get_by_text("There is no page “nosuchpage”: showing Home.")).to_be_visible()
        expect(page).to_have_url(f"{url}/?image=42")
