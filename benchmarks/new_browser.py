"""What a browser that has never been there fetches before it shows a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright


def files_of_first_visits(url: str, addresses: Iterable[str]) -> dict[str, list[str]]:
    """The paths of Streamlit's files that a new Chromium fetches from `url`, for each address."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        return {address: _files(chromium, url, address) for address in addresses}


def _files(chromium: Browser, url: str, address: str) -> list[str]:
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    paths: list[str] = []
    page.on("request", lambda request: paths.append(urlsplit(request.url).path))
    page.goto(url + address)
    page.get_by_text("As in the tutorial").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.context.close()
    return [path for path in paths if path.startswith("/static/")]
