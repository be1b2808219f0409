"""What axe-core finds wrong on a page."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Visit
from tests.harness.app import PAGES
from tests.harness.server import Server

ADDRESSES = [
    *PAGES,
    "model_training?part=mistakes",
    "model_training?part=epochs",
    "class_comparison?compare=all+filters&layer=conv_layer_3&filter=7",
    "class_comparison?compare=ten+classes",
    "filter_explorer?layer=conv_layer_3&filter=7&row=3&col=4",
    "filter_explorer?panel=epochs",
    "filter_explorer?layer=pool_layer_2",
    "filter_explorer?layer=flatten_layer_5",
    "filter_explorer?layer=dense_layer_6",
    "filter_explorer?layer=dense_layer_7",
]


# A viewport of 320 pixels is what is left of 1280 at a zoom of 400 %.
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 320)])
@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_serious(
    server: Server, visit: Visit, address: str, scheme: str, width: int
) -> None:
    page = visit(
        f"{server.url}/{address}", color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    if "filter_explorer" in address:
        page.locator(".microscope-title").wait_for()
    found = Axe().run(page).response["violations"]
    serious = [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []
