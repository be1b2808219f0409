"""A model folder whose names and card hold images, HTML, scripts and LaTeX, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import StartServer, Visit, copy_app
from tests.harness.app import PAGES, go_to, main, sidebar, wait_until_idle
from tests.harness.renamed import CARD, FOLDER, LAYERS, write_model
from tests.harness.server import Server

PANELS = {
    "filter_explorer": ("numbers", "top images", "epochs"),
    "class_comparison": ("one filter", "all filters", "ten classes"),
    "model_training": ("training", "mistakes", "epochs"),
}

WITH_LAYERS = ("numbers", "top images", "all filters")  # of "epochs" there are two


@pytest.fixture
def renamed(start_server: StartServer, tmp_path: Path) -> Server:
    """A process whose app has the one model."""
    app = copy_app(tmp_path)
    write_model(tmp_path / "assets/models" / FOLDER, LAYERS, CARD)
    return start_server(app, env={"PYTHONPATH": str(tmp_path)})


def shown(locator: Locator) -> str:
    """The text that a visitor reads, without the characters that have no width."""
    return " ".join(locator.inner_text().replace("\u2060", "").split())


def assert_buttons_are_names(page: Page) -> None:
    buttons = page.locator(".st-key-layer [role=radio]")
    expect(buttons).to_have_count(len(LAYERS))
    assert [shown(button) for button in buttons.all()] == list(LAYERS.values())
    markup = page.locator(".st-key-layer :is(img, a, em, strong, code, .katex, [role=img])")
    assert markup.count() == 0


def test_names_are_read_and_nothing_foreign_is_asked(renamed: Server, visit: Visit) -> None:
    page = visit("about:blank", complete=False)
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(renamed.url)
    expect(sidebar(page).get_by_text("Predicted: ")).to_be_visible()
    assert page.get_by_role("combobox", name="Model").input_value() == FOLDER
    for address, name in PAGES.items():
        go_to(page, name)
        for panel in PANELS.get(address, ()):
            page.get_by_role("radio", name=panel, exact=True).click()
            wait_until_idle(page)
            if panel in WITH_LAYERS:
                assert_buttons_are_names(page)
            expect(page.get_by_test_id("stException")).to_have_count(0)
    go_to(page, "Filter explorer")
    for position, layer in enumerate(LAYERS.values()):
        page.locator(".st-key-layer [role=radio]").nth(position).click()
        title = main(page).locator(".figure-title").first
        expect(title).to_contain_text(f"of {' '.join(layer.split())}")
    go_to(page, "Model and training")
    for panel, heading in (("mistakes", "Where"), ("epochs", "When"), ("training", "How good")):
        page.get_by_role("radio", name=panel, exact=True).click()
        subheader = main(page).get_by_role("heading", name=re.compile(f"^{heading} "))
        expect(subheader).to_be_visible()
        assert FOLDER in shown(subheader)
    page.get_by_role("button", name="Model card").click()
    card = page.locator(".model-card")
    expect(card.get_by_role("heading", name="A card title")).to_be_visible()
    expect(card.get_by_role("cell", name="bold")).to_be_visible()
    expect(card).to_contain_text("<script>alert(4)</script>")
    assert card.locator("img, script, style").count() == 0
    links = card.get_by_role("link").all()
    assert {link.get_attribute("rel") for link in links} == {"noopener noreferrer"}
    assert {link.get_attribute("target") for link in links} == {"_blank"}
    wait_until_idle(page)
    assert dialogs == []
    assert hosts - {"", urlsplit(renamed.url).netloc} == set()


def test_a_message_about_a_damaged_model_is_read_as_text(
    start_server: StartServer, tmp_path: Path, visit: Visit
) -> None:
    app = copy_app(tmp_path)
    write_model(tmp_path / "assets/models" / FOLDER, LAYERS, CARD)
    (tmp_path / "assets/models" / FOLDER / "model.keras").write_bytes(b"damaged")
    server = start_server(app, env={"PYTHONPATH": str(tmp_path)})
    page = visit("about:blank", complete=False)
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(server.url)
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    assert f"assets/models/{FOLDER}/model.keras" in shown(alert)
    assert alert.locator("img:not([src^='data:']), a, em, .katex").count() == 0
    assert hosts - {"", urlsplit(server.url).netloc} == set()
