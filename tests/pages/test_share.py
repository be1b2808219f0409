"""Which addresses “Share this view” offers, by where the browser and the server are."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st

from ui import share

QUERY = {"layer": "conv_layer_3", "filter": "33"}
NETWORK_HOST = "10.0.0.7"


@pytest.fixture(autouse=True)
def computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer in a network, and a server on it outside of any container."""
    set_server(monkeypatch)
    monkeypatch.setattr(share, "own_address", lambda: NETWORK_HOST)
    monkeypatch.setattr(share, "in_container", lambda: False)


def set_server(
    monkeypatch: pytest.MonkeyPatch,
    *,
    address: str | None = None,
    port: int = 8501,
    certificate: str | None = None,
) -> None:
    options = {
        "server.address": address,
        "server.port": port,
        "server.sslCertFile": certificate,
    }
    monkeypatch.setattr(st, "get_option", options.__getitem__)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.20:8501/filter_explorer",
        "https://filters.example.org/filter_explorer",
        "https://example.org/course/lab/filter_explorer",
        "http://[2001:db8::7]:8501/filter_explorer",
    ],
)
def test_an_address_that_others_reach_is_the_browsers(url: str) -> None:
    found = share.offer(url, QUERY)
    assert found == share.Offer(f"{url}?layer=conv_layer_3&filter=33", "", True, share.EVERYBODY)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "app.localhost"])
@pytest.mark.parametrize("listens_on", [None, "", "0.0.0.0", "::"])
def test_the_network_address_is_a_second_one(
    monkeypatch: pytest.MonkeyPatch, host: str, listens_on: str | None
) -> None:
    set_server(monkeypatch, address=listens_on)
    found = share.offer(f"http://{host}:8501/embedding", {})
    assert found.address == f"http://{host}:8501/embedding"
    assert found.network_address == f"http://{NETWORK_HOST}:8501/embedding"
    assert found.is_reachable


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "localhost", "::1"])
def test_a_server_for_this_computer_alone_offers_no_other_address(
    monkeypatch: pytest.MonkeyPatch, listens_on: str
) -> None:
    set_server(monkeypatch, address=listens_on)
    found = share.offer("http://localhost:8501/", QUERY)
    assert found.address == "http://localhost:8501/?layer=conv_layer_3&filter=33"
    assert (found.network_address, found.is_reachable) == ("", False)
    assert f"the server listens on {listens_on} alone" in found.words
    assert "--server.address=0.0.0.0" in found.words


def test_a_containers_own_address_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    set_server(monkeypatch, address="0.0.0.0")
    monkeypatch.setattr(share, "in_container", lambda: True)
    found = share.offer("http://localhost:8501", {})
    assert (found.address, found.network_address) == ("http://localhost:8501/", "")
    assert not found.is_reachable
    assert "instead of localhost" in found.words


@pytest.mark.parametrize(
    "url", ["http://localhost:9000", "https://localhost:8501", "http://localhost"]
)
def test_behind_a_proxy_or_a_tunnel_the_servers_address_is_not_offered(url: str) -> None:
    found = share.offer(url, {})
    assert (found.address, found.network_address) == (f"{url}/", "")
    assert "instead of localhost" in found.words


def test_tls_and_the_default_port_are_the_servers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    set_server(monkeypatch, port=443, certificate="certificate.pem")
    assert share.offer("https://localhost/", {}).network_address == f"https://{NETWORK_HOST}:443/"


def test_a_computer_without_a_network_offers_only_its_own_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(share, "own_address", lambda: "")
    found = share.offer("http://localhost:8501/", {})
    assert found == share.Offer("http://localhost:8501/", "", False, share.NO_NETWORK)


@pytest.mark.parametrize("url", [None, "", "about:blank", "http://[::1", "http://a:99999/"])
def test_without_the_browsers_address_none_is_made_up(url: str | None) -> None:
    assert share.offer(url, {}) == share.Offer("", "", False, share.UNKNOWN)


def test_a_container_is_known_by_its_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    mark = tmp_path / "mark"
    monkeypatch.setattr(share, "_CONTAINER_MARKS", (mark,))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert not share.in_container()
    mark.touch()
    assert share.in_container()
    mark.unlink()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert share.in_container()
