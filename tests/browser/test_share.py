"""The address of the view, for somebody else."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from playwright.sync_api import Page, expect

from benchmarks.server import Server
from tests.browser import app
from tests.browser.conftest import Visit
from ui import share


def shared(page: Page) -> str:
    """Opens the menu, and reads the address; the code says the same."""
    app.sidebar(page).get_by_role("button", name="Share this view").click()
    popover = page.get_by_test_id("stPopoverBody")
    picture = popover.get_by_role("img", name="QR code of the address")
    expect(picture).to_be_visible()
    address = popover.get_by_test_id("stCode").inner_text().strip()
    expected = segno.make(address, error="m", micro=False)
    uri = expected.png_data_uri(scale=1, border=4, dark="#000", light="#fff")
    expect(picture).to_have_attribute("src", uri)
    page.keyboard.press("Escape")
    expect(popover).to_have_count(0)
    return address


def test_the_view_is_shared_as_it_is(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=conv_layer_3&filter=33")
    parts = urlsplit(shared(page))
    assert parts.path == "/filter_explorer"
    assert parse_qs(parts.query) == {"layer": ["conv_layer_3"], "filter": ["33"]}
    # Nobody else reaches this computer as 127.0.0.1.
    assert parts.netloc == f"{share.own_address() or '127.0.0.1'}:{server.port}"
    app.slider(page, "Filter").press("ArrowRight")
    app.assert_parameters(page, layer="conv_layer_3", filter=34)
    app.wait_until_idle(page)
    query = urlsplit(shared(page)).query
    assert parse_qs(query) == {"layer": ["conv_layer_3"], "filter": ["34"]}


def test_a_computer_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unconnected(socket.socket):
        def connect(self, _address: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Unconnected)
    assert share.own_address() == ""


def test_an_address_that_is_too_long_for_a_code() -> None:
    assert "copy it" in share.qr_code("http://localhost/?off=" + 3000 * "1")
