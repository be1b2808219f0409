"""What nginx must not break in a real Chromium, and what a browser does when its replica fails."""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.conftest import Visit
from tests.deploy.conftest import StartSite
from tests.deploy.student import last
from tests.harness import app
from tests.harness.site import Site

LAYER, IMAGE, FILTER = "conv_layer_3", 42, 17
TITLE = "test image 42, Dress"
POLICY = "Content Security Policy"  # as Chromium's console calls it
RUN_MS = 5_000  # within which a page is served again
ADDRESS = f"/filter_explorer?image={IMAGE}&layer={LAYER}&filter={FILTER}"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody new. Unlike `visit`, it puts up with the console's words about lost connections."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


def replica_of(site: Site, context: BrowserContext) -> str:
    """Who answers the browser's requests."""
    [cookie] = [each for each in context.cookies() if each["name"] == "replica"]
    return replica_for(site, cookie["value"])


def replica_for(site: Site, cookie: str) -> str:
    request = urllib.request.Request(
        f"{site.url}/_stcore/health", headers={"Cookie": f"replica={cookie}"}
    )
    with urllib.request.urlopen(request) as answer:
        return last(answer.headers["X-Replica"])


def fail(site: Site, page: Page) -> None:
    """The page's replica fails, and the page connects to another one.

    Streamlit drops what is moved before the new session's first run has ended, so this waits for
    that run.
    """
    with page.expect_websocket() as connected:
        site.kill(replica_of(site, page.context))
    connected.value.wait_for_event("framereceived", predicate=ends_a_run, timeout=RUN_MS)
    app.wait_until_idle(page)


def ends_a_run(payload: bytes) -> bool:
    return ForwardMsg.FromString(payload).WhichOneof("type") == "script_finished"


def assert_view(page: Page, index: int) -> None:
    app.assert_image(page, TITLE)
    app.assert_map(page, LAYER, index)
    app.assert_parameters(page, image=IMAGE, layer=LAYER, filter=index)


def part(page: Page, name: str) -> Locator:
    return app.main(page).get_by_role("radio", name=name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_headers_break_no_page(site: Site, visit: Visit, scheme: str) -> None:
    page = visit(site.url, color_scheme=scheme)
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if POLICY in said.text else None)
    first = page.reload()
    assert first
    assert first.headers[POLICY.lower().replace(" ", "-")]
    app.wait_until_complete(page)
    for name in list(app.PAGES.values())[1:]:
        app.go_to(page, name)
    assert not refused


@pytest.mark.parametrize("moved", ["image and filter", "filter", "nothing"])
def test_a_page_comes_back_on_another_replica(
    start_site: StartSite, context: BrowserContext, moved: str
) -> None:
    site = start_site(2)
    page = context.new_page()
    page.goto(site.url + ADDRESS)
    app.wait_until_complete(page)
    index = FILTER
    if "image" in moved:
        # From then on the frontend sends an address that it keeps, without what JavaScript writes.
        box = app.sidebar(page).get_by_label("Test image", exact=True)
        for key, image in (("ArrowUp", IMAGE + 1), ("ArrowDown", IMAGE)):
            box.press(key)
            app.assert_parameters(page, image=image)
            app.wait_until_idle(page)
    if "filter" in moved:
        # In the browser alone: the server has not heard of it when it fails.
        app.slider(page, "Filter").press("ArrowRight")
        index += 1
    assert_view(page, index)

    fail(site, page)
    assert_view(page, index)
    app.slider(page, "Filter").press("ArrowRight")
    assert_view(page, index + 1)

    # The new server hears of it where it draws something for it.
    part(page, "top images").click()
    best = f"What excites filter {index + 1} of {LAYER} most"
    expect(app.main(page).get_by_text(best)).to_be_visible()
    part(page, "numbers").click()
    assert_view(page, index + 1)

    # The address alone is enough, too.
    page.reload()
    app.wait_until_complete(page)
    assert_view(page, index + 1)


def test_a_download_is_found_wherever_it_is(site: Site, visit: Visit) -> None:
    # The whole page is in view: on a small screen the menu sometimes opens below its edge.
    page = visit(site.url + ADDRESS, viewport={"width": 1280, "height": 2400})
    # After failures the cookie may lead elsewhere than the WebSocket.
    [other] = site.replicas.keys() - {replica_of(site, page.context)}
    cookie = next(each for each in map(str, itertools.count()) if replica_for(site, each) == other)
    page.context.add_cookies([{"name": "replica", "value": cookie, "url": site.url}])
    assert replica_of(site, page.context) == other

    app.main(page).get_by_role("button", name="Download").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Numbers (CSV)").click()
    assert len(started.value.path().read_text().splitlines()) == 11  # rows of a map of conv_layer_3
