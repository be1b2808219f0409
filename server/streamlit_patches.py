"""Replace parts of Streamlit that would cost a class too much."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket
from streamlit import config
from streamlit.components.v2.bidi_component import main as bidi_component
from streamlit.runtime.app_session import AppSession

from server import queueing, static_files


def _send_together() -> None:
    """Streamlit 1.67 wakes its event loop for each of a run's 30 messages, and each time the two
    take the interpreter from each other: a tenth of a move."""
    call_soon = AppSession._call_soon_on_event_loop

    def hold(session: AppSession, callback: Callable[[], None]) -> None:
        if not queueing.has_turn():
            call_soon(session, callback)
            return
        queueing.send_at_end_of_turn(callback, partial(call_soon, session), session._event_loop)

    AppSession._call_soon_on_event_loop = hold  # type: ignore[method-assign,assignment]


def _read_theme_once() -> None:
    """Streamlit 1.67 looks through all its options seven times for each script run, to tell the
    browser the theme: 2 ms of the 5 that an empty page takes. While it runs the theme stays."""
    look_up = config.get_options_for_section
    found: dict[str, dict[str, Any]] = {}

    def options_for_section(section: str) -> dict[str, Any]:
        if not section.startswith("theme"):
            return look_up(section)
        if section not in found:
            found[section] = look_up(section)
        return dict(found[section])

    config.get_options_for_section = options_for_section


class _Events(dict[Any, object]):
    """The events that a component has sent, by name; None for an event that did not happen."""

    def __getattr__(self, name: str) -> object:
        return self.get(name)


def _look_at_components_quickly() -> None:
    """Streamlit 1.67 makes a new class whenever it looks at what a component has sent, and it looks
    at every component for each number input and select box: a twelfth of an image move."""

    def presenter(aggregator_id: str, *_: object) -> Callable[[object, Any], object]:
        def present(base: object, state: Any) -> object:
            if not isinstance(base, dict):
                return base
            # What comes from a browser may be anything.
            sent = state._new_widget_state.get(aggregator_id) or ()
            events = {
                each["event"]: each.get("value")
                for each in sent
                if isinstance(each, dict) and isinstance(each.get("event"), str)
            }
            return _Events(events | base)

        return present

    bidi_component.make_bidi_component_presenter = presenter  # type: ignore[assignment,attr-defined]


def _hear_all_alike() -> None:
    """Streamlit 1.67 goes on as long as a browser has said more, before it hears anybody else: one
    that asks for a thousand runs at once kept everybody waiting for a second."""
    receive = WebSocket.receive

    async def receive_one(socket: WebSocket) -> Message:
        message = await receive(socket)
        await asyncio.sleep(0)  # lets the others come first
        return message

    WebSocket.receive = receive_one  # type: ignore[method-assign,assignment]


def _overlook_what_stays() -> None:
    """Takes what the imports left out of Python's search for cyclic garbage.

    They left 120,000 objects that never go. A full search through them holds the interpreter for
    65 ms, and comes only when a quarter as many new ones have outlived the shorter searches: so the
    garbage of sessions that have ended, messages and all, stays for long.
    """
    gc.freeze()


def install() -> None:
    """Replace the parts, once: a module that is loaded again replaces nothing twice."""
    if getattr(AppSession, _MARK, False):
        return
    setattr(AppSession, _MARK, True)
    _read_theme_once()
    _look_at_components_quickly()
    _send_together()
    _hear_all_alike()
    static_files.serve_from_memory()
    _overlook_what_stays()


_MARK = "has_see_the_filters_patches"
