"""The current view for somebody else: its address, also as a QR code, made without the internet."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

import segno
import streamlit as st

from ui import markup

# Values of Streamlit's `server.address` with which it listens on all of the computer's addresses.
_ALL_INTERFACES = frozenset({"", "0.0.0.0", "::"})
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
EVERYBODY = (
    "Whoever opens this address, or points a camera at the code, sees what you see now: the page, "
    "the model, the image and all choices."
)
SAME_NETWORK = (
    "The first address is for this computer alone. Phones and computers in the same network open "
    "the second one, or point a camera at the code, and see what you see now."
)
ONLY_LOCAL_SERVER = (
    "Only this computer can open this address: the server listens on {address} alone. To share the "
    "view, start the app with <code>--server.address=0.0.0.0</code>."
)
NO_NETWORK = (
    "Only this computer can open this address: it is in no network. Connect it to one that the "
    "others share."
)
OTHER_NAME = (
    "Only this computer can open this address. To share the view, open the app by the name or the "
    "network address under which others reach it, instead of {host}, and share from there."
)
UNKNOWN = "The browser did not send its address: copy it from the address bar."


@dataclass(frozen=True)
class Offer:
    """The contents of the menu.

    Attributes:
        address: The browser's own.
        network_address: One for other computers in the same network; "" if none is known.
        is_reachable: Whether others can open one of the two.
        words: HTML about it.
    """

    address: str
    network_address: str
    is_reachable: bool
    words: str


def share() -> None:
    """A closed menu in the sidebar: it costs a move nothing until it is opened."""
    menu = st.popover(
        "Share this view",
        icon=":material/qr_code_2:",
        key="share",
        on_change="rerun",
        width="stretch",
    )
    if not menu.open:
        return
    with menu:
        found = offer(st.context.url, st.query_params.to_dict())
        for address in filter(None, (found.address, found.network_address)):
            st.code(address, language=None, wrap_lines=True)
        if found.is_reachable:
            markup.show(qr_code(found.network_address or found.address))
        markup.show(markup.note(found.words))


def offer(url: str | None, query: dict[str, str]) -> Offer:
    """Return the addresses at which the view can be opened.

    Args:
        url: The page's address as the browser has it, so with the scheme, the host and the path of
            whatever stands between the two; None where it did not send one.
        query: The URL parameters.
    """
    try:
        parts = urlsplit(url or "")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return Offer("", "", False, UNKNOWN)
    if not parts.hostname or port is None:
        return Offer("", "", False, UNKNOWN)

    def address(netloc: str) -> str:
        return urlunsplit((parts.scheme, netloc, parts.path or "/", urlencode(query), ""))

    own = address(parts.netloc)
    if not is_local(parts.hostname):
        return Offer(own, "", True, EVERYBODY)
    # With another scheme or port there is a proxy or a tunnel in between, and the server may be
    # another computer.
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    is_direct = (parts.scheme, port) == (scheme, st.get_option("server.port"))
    listens_on = st.get_option("server.address") or ""
    if is_direct and listens_on not in _ALL_INTERFACES:
        return Offer(own, "", False, ONLY_LOCAL_SERVER.format(address=escape(listens_on)))
    if not is_direct or in_container():
        return Offer(own, "", False, OTHER_NAME.format(host=escape(parts.hostname)))
    network_host = own_address()
    if not network_host:
        return Offer(own, "", False, NO_NETWORK)
    return Offer(own, address(f"{network_host}:{port}"), True, SAME_NETWORK)


def is_local(host: str) -> bool:
    """Return whether a host name or IP address means the computer that the browser runs on."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def in_container() -> bool:
    """Return whether the server runs in a container, whose own address nobody outside reaches."""
    return any(map(Path.exists, _CONTAINER_MARKS)) or "KUBERNETES_SERVICE_HOST" in os.environ


def own_address() -> str:
    """This computer's address in its network; empty where it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Of no real computer (RFC 5737): to connect a datagram socket sends nothing, but picks
            # the way out.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def qr_code(text: str) -> str:
    """A QR code as an image element, or a note that the text is too long for one."""
    try:
        code = segno.make(text, error="m", micro=False)
    except segno.DataOverflowError:
        return markup.note("The address is too long for a QR code: copy it.")
    # A cell a pixel, which the browser enlarges.
    source = code.png_data_uri(scale=1, border=4, dark="#000", light="#fff")
    return f'<img class="pixels qr-code" src="{source}" alt="QR code of the address">'
