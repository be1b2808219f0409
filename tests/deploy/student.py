"""A simulated student who comes back when the connection is lost, as Streamlit's frontend does."""

from __future__ import annotations

import http.client
import random
import time
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import websocket
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.harness.student import DeltaPath, Reply, Student

# Of Streamlit 1.67's frontend, in seconds: before each new connection, and between its questions
# whether the server is there.
FIRST_DELAY, LONGEST_DELAY, FIRST_PAUSE = 0.5, 4.0, 0.1


class ReturningStudent(Student):
    """Keeps nginx's cookie, and sends it with all that follows.

    `query` is the address as Streamlit's frontend keeps it: with what the server writes there, but
    without what a component's JavaScript has written since.

    Attributes:
        replica: the address of the replica that holds the session.
        refusals: status codes of what nginx could not answer while the student came back.
    """

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        super().__init__(url, timeout=timeout)
        self._session_id = ""
        self.refusals: list[int] = []
        # nginx gives it with the first answer; in a browser that is the page's HTML.
        morsel = SimpleCookie(self._socket.getheaders()["set-cookie"])["replica"]
        self.cookie = f"replica={morsel.value}"
        self._http = _Connection(self.host, self.cookie, timeout)
        self.replica = last(self._socket.getheaders()["x-replica"])

    def get(self, path: str) -> http.client.HTTPResponse:
        """Fetches something, like everything that the browser asks for beside the WebSocket."""
        connection = _Connection(self.host, self.cookie, self._timeout)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def asks(self) -> str:
        """The replica that answers what this student fetches."""
        return last(self.get("/_stcore/health").headers["X-Replica"])

    def wait_for_loss(self) -> None:
        """Listens until the connection is gone."""
        with suppress(websocket.WebSocketConnectionClosedException, ConnectionError):
            while self._socket.recv():
                pass

    def come_back(self) -> Reply:
        """Connects again and asks for the page as it was, with the address as Streamlit knows it.

        As the frontend does where a fragment has a clock, which all of the app's have.
        """
        self._socket.shutdown()
        attempt = 0
        while not self._socket.connected:
            attempt += 1
            longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1))
            time.sleep(random.uniform(longest / 2, longest))
            self._wait_for_server()
            with suppress(websocket.WebSocketException, ConnectionError):
                self._connect()
        self.replica = last(self._socket.getheaders()["x-replica"])
        return self._rerun()

    def shows(self, text: str) -> bool:
        """Whether the page's own figures hold these words."""
        return any(text in shown.element.html.body for shown in self._elements.values())

    def _wait_for_server(self) -> None:
        pause = FIRST_PAUSE
        while refused := self._refused():
            self.refusals += refused
            time.sleep(pause)
            pause = min(LONGEST_DELAY, 2 * pause)

    def _refused(self) -> list[int]:
        answers = [self.get(f"/_stcore/{name}") for name in ("health", "host-config")]
        return [answer.status for answer in answers if answer.status != 200]

    def _connect(self) -> None:
        self._socket = websocket.create_connection(
            f"ws://{self.host}/_stcore/stream",
            timeout=self._timeout,
            cookie=self.cookie,
            # The XSRF token, which only logins need, and the session to go on with if it is there.
            subprotocols=["streamlit", "PLACEHOLDER_AUTH_TOKEN", self._session_id],
        )

    def _take(self, message: ForwardMsg, touched: set[DeltaPath], images: list[str]) -> None:
        if message.HasField("new_session"):
            self._session_id = message.new_session.initialize.session_id
        if message.HasField("page_info_changed"):
            self.query = dict(parse_qsl(message.page_info_changed.query_string))
        super()._take(message, touched, images)


class _Connection(http.client.HTTPConnection):
    """One that sends the cookie with each request."""

    def __init__(self, host: str, cookie: str, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._cookie = cookie

    def putrequest(self, *arguments: Any, **options: Any) -> None:
        super().putrequest(*arguments, **options)
        self.putheader("Cookie", self._cookie)


def last(addresses: str) -> str:
    """Who answered: nginx lists those that it tried before, too."""
    return addresses.split(", ")[-1]
