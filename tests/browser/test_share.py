"""The address of the view, for somebody else."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import ROOT, Server, free_port
from tests.harness.site import NGINX
from tests.harness.visitor import wait_until
from ui import share

OPENSSL = shutil.which("openssl")
StartProxy = Callable[[str], str]


def opened(page: Page) -> Locator:
    """The open menu."""
    app.sidebar(page).get_by_role("button", name="Share this view").click()
    menu = page.get_by_test_id("stPopoverBody")
    expect(menu.get_by_test_id("stCode").first).to_be_visible()
    return menu


def addresses(page: Page) -> list[str]:
    """The addresses that the menu shows; it is closed again."""
    menu = opened(page)
    shown = [code.inner_text().strip() for code in menu.get_by_test_id("stCode").all()]
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    return shown


@pytest.fixture
def start_proxy(server: Server) -> Iterator[StartProxy]:
    """Starts nginx with TLS and the configuration of deploy/ in front of the server, on an address
    of this computer; returns its URL."""
    for name, command in (("nginx", NGINX), ("openssl", OPENSSL)):
        if command is None:
            if os.environ.get("CI"):
                pytest.fail(f"{name} is not installed")
            pytest.skip(f"{name} is not installed")
    with ExitStack() as stack:

        def start(host: str) -> str:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            folder.chmod(0o755)  # nginx's workers may run as another user.
            certificate, key = folder / "certificate.pem", folder / "key.pem"
            subprocess.run(
                [
                    *(str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
                    *("-subj", f"/CN={host}", "-addext", f"subjectAltName=IP:{host}"),
                    *("-keyout", str(key), "-out", str(certificate)),
                ],
                check=True,
                capture_output=True,
            )
            port = free_port()
            (folder / "nginx.conf").symlink_to(ROOT / "deploy" / "nginx.conf")
            (folder / "upstreams.conf").write_text(f"server 127.0.0.1:{server.port};\n")
            (folder / "listen.conf").write_text(
                f"listen {host}:{port} ssl;\n"
                f"ssl_certificate {certificate};\nssl_certificate_key {key};\n"
            )
            log = stack.enter_context((folder / "error.log").open("wb"))
            nginx = subprocess.Popen(
                [
                    *(str(NGINX), "-p", f"{folder}/", "-c", f"{folder}/nginx.conf"),
                    *("-g", "daemon off;"),
                ],
                stderr=log,
            )
            stack.callback(nginx.wait, 10)
            stack.callback(nginx.terminate)
            url = f"https://{host}:{port}"
            trusted = ssl.create_default_context(cafile=str(certificate))

            def answers() -> bool:
                assert nginx.poll() is None, (folder / "error.log").read_text()
                try:
                    with urllib.request.urlopen(f"{url}/_stcore/health", context=trusted):
                        return True
                except OSError:
                    return False

            wait_until(answers)
            return url

        yield start


def test_the_view_is_shared_as_it_is(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=conv_layer_3&filter=33")
    [address] = addresses(page)
    parts = urlsplit(address)
    # The server listens on 127.0.0.1 only, so no other address leads to it.
    assert address.startswith(f"{server.url}/filter_explorer?")
    assert parse_qs(parts.query) == {"layer": ["conv_layer_3"], "filter": ["33"]}
    app.slider(page, "Filter").press("ArrowRight")
    app.assert_parameters(page, layer="conv_layer_3", filter=34)
    app.wait_until_idle(page)
    [address] = addresses(page)
    assert parse_qs(urlsplit(address).query) == {"layer": ["conv_layer_3"], "filter": ["34"]}


def test_a_server_for_this_computer_alone_says_how_to_share(server: Server, visit: Visit) -> None:
    menu = opened(visit(server.url))
    expect(menu).to_contain_text("Only this computer can open this address")
    expect(menu).to_contain_text("--server.address=0.0.0.0")
    # A camera would open the address on another computer.
    assert menu.get_by_role("img", name="QR code of the address").count() == 0


def test_behind_tls_the_address_is_the_browsers_own(start_proxy: StartProxy, visit: Visit) -> None:
    url = start_proxy("127.0.0.1")
    page = visit(f"{url}/embedding?colour=error", ignore_https_errors=True)
    assert addresses(page) == [f"{url}/embedding?colour=error"]
    expect(opened(page)).to_contain_text("instead of 127.0.0.1")


def test_an_address_that_others_reach_has_a_code(start_proxy: StartProxy, visit: Visit) -> None:
    host = share.own_address()
    if not host:
        pytest.skip("this computer is in no network")
    url = start_proxy(host)
    page = visit(f"{url}/filter_explorer?filter=33", ignore_https_errors=True)
    [address] = addresses(page)
    assert address == f"{url}/filter_explorer?filter=33"
    menu = opened(page)
    expected = segno.make(address, error="m", micro=False)
    uri = expected.png_data_uri(scale=1, border=4, dark="#000", light="#fff")
    picture = menu.get_by_role("img", name="QR code of the address")
    expect(picture).to_have_attribute("src", uri)
    expect(menu).to_contain_text("Whoever opens this address")


def test_a_computer_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unconnected(socket.socket):
        def connect(self, _address: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Unconnected)
    assert share.own_address() == ""


def test_an_address_that_is_too_long_for_a_code() -> None:
    assert "copy it" in share.qr_code("http://localhost/?off=" + 3000 * "1")
