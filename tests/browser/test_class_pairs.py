"""The chart of what tells two classes apart answers to the pointer."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import Server

ADDRESS = (
    "/class_comparison?compare=all+filters&model=tutorial&class_a=0&class_b=6&layer=conv_layer_3"
    "&filter=7"
)


def click(page: Page, index: int) -> None:
    """Clicks between the two panels, in the column of a filter."""
    page.locator(f'path[aria-label*=" filter: {index};"]').click()


def assert_shown(page: Page, index: int) -> None:
    expect(app.slider(page, "Filter")).to_have_value(str(index))
    app.assert_parameters(page, filter=index)
    title = app.main(page).get_by_text(re.compile(f"^Filter {index} of conv_layer_3 "))
    expect(title).to_be_visible()


def test_a_click_chooses_the_filter(server: Server, visit: Visit) -> None:
    page = visit(server.url + ADDRESS)
    assert_shown(page, 7)
    click(page, 18)
    assert_shown(page, 18)
    # The same filter once more, after the slider chose another one.
    page.get_by_role("heading", name="Class comparison").hover()
    app.slider(page, "Filter").press("ArrowRight")
    assert_shown(page, 19)
    click(page, 18)
    assert_shown(page, 18)
