"""Each replaced part of Streamlit still does what Streamlit's own does."""

from __future__ import annotations

import asyncio
import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState
from streamlit import config
from streamlit.runtime.app_session import AppSession

from server import streamlit_patches

streamlit_patches.install()


def test_module_that_is_loaded_again_replaces_nothing_twice() -> None:
    before = AppSession._call_soon_on_event_loop, WebSocket.receive, config.get_options_for_section
    importlib.reload(streamlit_patches).install()
    after = AppSession._call_soon_on_event_loop, WebSocket.receive, config.get_options_for_section
    assert after == before


def test_who_says_much_at_once_lets_the_others_speak() -> None:
    said: list[str] = []

    async def receive() -> Message:  # there is always more
        return {"type": "websocket.receive", "bytes": b""}

    async def send(message: Message) -> None:
        pytest.fail(f"nobody asked for {message}")

    async def listen(name: str) -> None:
        socket = WebSocket({"type": "websocket"}, receive, send)
        socket.client_state = WebSocketState.CONNECTED
        for _ in range(3):
            await socket.receive()
            said.append(name)

    async def both() -> None:
        await asyncio.gather(listen("one"), listen("other"))

    asyncio.run(both())
    assert said == ["one", "other"] * 3


@pytest.mark.parametrize("section", ["theme", "theme.dark", "theme.light.sidebar", "server"])
def test_the_settings_that_browsers_are_told_are_the_settings(section: str) -> None:
    options = config.get_config_options().values()
    expected = {option.name: option.value for option in options if option.section == section}
    assert expected
    for _ in range(2):
        found = config.get_options_for_section(section)
        assert found == expected
        found.clear()  # theirs to change


@pytest.mark.parametrize(
    ("sent", "picked"),
    [
        (None, None),
        ([{"event": "pick", "value": 3}], 3),
        ([{"event": "other", "value": 3}], None),
        ([{"event": ["pick"], "value": 3}], None),
        ([3, "pick", {}, None], None),
        ({"event": "pick"}, None),
    ],
)
def test_what_a_component_sends_may_be_anything(sent: object, picked: object) -> None:
    present: Any = streamlit_patches.bidi_component.make_bidi_component_presenter(
        "events", "component"
    )
    state = SimpleNamespace(_new_widget_state={"events": sent})
    assert present({}, state).pick == picked
    assert present(["no mapping"], state) == ["no mapping"]
