"""The current view for somebody else: its address, also as a QR code, made without the internet."""

from __future__ import annotations

import socket
from urllib.parse import urlencode, urlsplit, urlunsplit

import segno
import streamlit as st

from ui import figures

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


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
        target = address()
        st.code(target, language=None, wrap_lines=True)
        figures.show(qr_code(target))
        if urlsplit(target).hostname in _HERE:
            words = (
                "Only this computer can open it: it is in no network. Connect it to one that the "
                "others share."
            )
        else:
            words = (
                "Whoever opens this address, or points a camera at the code, sees what you see "
                "now: the page, the model, the image and all choices."
            )
        figures.show(figures.note(words))


def address() -> str:
    """The address of the view in the browser. Where that is this computer itself, which nobody else
    reaches by that name, it gets its own address in the network."""
    parts = urlsplit(st.context.url or "http://localhost:8501/")
    netloc = parts.netloc
    if parts.hostname in _HERE and (own := own_address()):
        netloc = f"{own}:{parts.port}" if parts.port else own
    query = urlencode(st.query_params.to_dict())
    return urlunsplit((parts.scheme, netloc, parts.path or "/", query, ""))


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
        return figures.note("The address is too long for a QR code: copy it.")
    # A cell a pixel, which the browser enlarges.
    source = code.png_data_uri(scale=1, border=4, dark="#000", light="#fff")
    return f'<img class="pixels qr-code" src="{source}" alt="QR code of the address">'
