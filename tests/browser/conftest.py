"""A real Chromium and real servers; whatever a test does, both have to stay silent."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.harness.app import wait_until_complete
from tests.harness.server import APP, ROOT, Server

# Not the time anything should take, only the end of all patience: a first visit on a busy machine
# loads Streamlit's megabytes of JavaScript.
TIMEOUT_MS = 20_000
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
if "CHROMIUM" in os.environ:  # the path of another one
    CHROMIUM_NAMES = (os.environ["CHROMIUM"],)
# Chromium is not to phone home during a test.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Visit = Callable[..., Page]
StartServer = Callable[..., Server]


# Playwright keeps an event loop running in the main thread, so it ends with this folder's tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if executable is None:
        reason = f"none of {', '.join(CHROMIUM_NAMES)} is installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens an address as somebody new does, in a browser context of its own, and waits until the
    page is complete. At the end no page may have had an error."""
    errors: list[str] = []
    with ExitStack() as contexts:

        def open_page(url: str, *, complete: bool = True, **options: Any) -> Page:
            options = {"viewport": {"width": 1280, "height": 800}, **options}
            context = browser.new_context(**options)
            contexts.callback(context.close)
            context.set_default_timeout(TIMEOUT_MS)
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.extend(_error(message)))
            page.goto(url, wait_until="commit")
            if complete:
                wait_until_complete(page)
            return page

        yield open_page
    assert errors == []


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts a process that nobody has visited yet; it stops at the end of the test."""
    with ExitStack() as servers:

        def start(script: Path = APP, env: Mapping[str, str] | None = None) -> Server:
            server = servers.enter_context(Server(script, env=env))
            servers.enter_context(_silent(server))
            return server

        yield start


@pytest.fixture(scope="package")
def _running_server() -> Iterator[Server]:
    with Server(APP) as server:
        yield server


@pytest.fixture
def server(_running_server: Server) -> Iterator[Server]:
    """One process for all tests that do not need one of their own."""
    with _silent(_running_server):
        yield _running_server


@pytest.fixture
def two_models(start_server: StartServer, tmp_path: Path) -> Server:
    """A process whose app has a second model, named tutorial-2."""
    app = copy_app(tmp_path)
    for name in ("tutorial", "tutorial-2"):
        shutil.copytree(ROOT / "assets/models/tutorial", app.parent / "assets/models" / name)
    return start_server(app, env={"PYTHONPATH": str(app.parent)})


def copy_app(folder: Path) -> Path:
    """Copies the app without a model into a folder and returns its script."""
    shutil.copy(APP, folder)
    shutil.copy(ROOT / "pyproject.toml", folder)  # its version is in the log
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    for part in ("core", "server", "ui", "pages", "assets/fashion_mnist"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "assets/attempts.csv", folder / "assets")
    return folder / APP.name


@contextmanager
def _silent(server: Server) -> Iterator[None]:
    """The server may complain of nothing meanwhile."""
    before = len(server.log())
    yield
    lines = server.log()[before:].splitlines()
    # Streamlit dates what it logs but does not say whether it is a warning.
    complaint = re.compile(r"\d{4}-\d\d-\d\d (?!.*server started)|.*(Warning|Error|Traceback)")
    assert not any(map(complaint.match, lines)), "\n".join(lines)


def _error(message: ConsoleMessage) -> Iterator[str]:
    """What a console message says, if it is an error."""
    address = message.location["url"]
    # On a deep link Streamlit itself looks for its endpoints below the page's address first.
    probes = re.compile(r"(/\w+)+/_stcore/(health|host-config)")
    if message.type == "error" and not probes.fullmatch(urlsplit(address).path):
        yield f"{message.text} ({address})"
