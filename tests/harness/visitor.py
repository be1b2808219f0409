"""A student who can also say what no browser says."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlencode

import websocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from tests.harness.server import Server
from tests.harness.student import DeltaPath, Student
from tests.pages.conftest import PAGES as SCRIPTS

PAGES = ("", *SCRIPTS[1:])  # Home's address is empty
PATIENCE = 60.0  # seconds; the end of all patience, not what anything should take


class Visitor(Student):
    """Looks at what the page says, and can speak without waiting for the answer."""

    _session = ""

    def reconnect(self) -> None:
        """Connect to the same session again, as a browser does whose connection broke."""
        self._socket = websocket.create_connection(
            f"ws://{self.host}/_stcore/stream",
            timeout=self._timeout,
            subprotocols=["streamlit", "no-token", self._session],
        )

    def _take(self, message: ForwardMsg, touched: set[DeltaPath], images: list[str]) -> None:
        if message.WhichOneof("type") == "new_session":
            self._session = message.new_session.initialize.session_id
        super()._take(message, touched, images)

    def close(self) -> None:
        """Leaves, even where the server has hung up first."""
        with suppress(websocket.WebSocketException, OSError):
            super().close()
        self._socket.shutdown()

    def shows(self, words: str) -> bool:
        """Whether the page's own figures hold these words."""
        return any(words in shown.element.html.body for shown in self._elements.values())

    def ask(self) -> None:
        """Asks for the page, without waiting for it."""
        self.send(self._message().SerializeToString())

    def tell(self, state: WidgetState) -> None:
        """Says what a widget's value is, whatever it is, and waits for the page."""
        message = self._message()
        message.rerun_script.widget_states.widgets.append(state)
        self.send(message.SerializeToString())
        self._receive(time.perf_counter())

    def send(self, payload: bytes) -> None:
        """Sends any bytes."""
        self._socket.send_binary(payload)

    def hear(self) -> tuple[int, bytes]:
        """What the server says next, and of what kind that is (`websocket.ABNF`)."""
        kind, data = self._socket.recv_data(control_frame=True)
        return kind, data

    def hear_until(self, true: Callable[[], bool]) -> None:
        """Draws the page again and again until it shows what was asked for."""
        while not true():
            self._receive(time.perf_counter())

    def _message(self) -> BackMsg:
        message = BackMsg()
        message.rerun_script.page_script_hash = self._page_hash
        message.rerun_script.query_string = urlencode(self.query)
        return message


def active_sessions(server: Server) -> int:
    """How many browsers are connected, as the server counts them."""
    address = f"{server.url}/_stcore/metrics?families=active_sessions"
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        (count,) = re.findall(r"^active_sessions (\d+)", answer.read().decode(), re.MULTILINE)
    return int(count)


def settled_memory(server: Server, kept: float) -> float:
    """The server's memory in MB once Streamlit has let go of all who left; `kept` is for how many
    seconds it waits for them to come back."""
    wait_until(lambda: active_sessions(server) == 0)
    # It looks for those whose time is over only when another one leaves.
    for _ in range(3):
        time.sleep(kept)
        with Visitor(server.url) as visitor:
            visitor.open("")
    return server.memory_mb()


def wait_until(true: Callable[[], object], pause: float = 0.05) -> None:
    """Asks again and again, every `pause` seconds, for what no message announces."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(pause)
