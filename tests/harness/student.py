"""One simulated student, who speaks the app's WebSocket protocol as Streamlit's frontend does.

It keeps what the browser keeps: the elements on the page, the value of each widget, the address's
query string, and the cache of large messages that lets the server send a hash instead. An exception
on the page raises `PageError`, so that a broken page never counts as a fast one.
"""

from __future__ import annotations

import http.client
import itertools
import json
import select
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import websocket
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates

DeltaPath = tuple[int, ...]


class PageError(RuntimeError):
    """The page shows an exception, or does not exist."""


class Reply(NamedTuple):
    """What one rerun cost the student, from the message sent."""

    latency: float
    """Seconds until the script had finished."""
    complete: float
    """Seconds until the page's new pictures had been fetched as well."""
    received: int
    """Bytes of all messages and pictures."""


@dataclass
class _Shown:
    """One element on the page."""

    element: Any
    fragment_id: str
    script_hash: str


@dataclass
class _Cached:
    """One message in the browser's cache."""

    message: ForwardMsg
    last_used: int


_FIELDS = {
    "slider": "double_array_value",
    "selectbox": "string_value",
    "button_group": "string_array_value",
    "number_input": "double_value",
    "text_input": "string_value",
    "checkbox": "bool_value",
    "button": "trigger_value",
}
"""The kinds of widgets that a student handles, and which field carries their value."""


def _value(kind: str, widget: Any, *, default: bool = False) -> Any:
    """What the server wants the widget to show: its default, or what the script has set."""
    given = widget.set_value and not default
    match kind:
        case "slider" if widget.options:  # st.select_slider
            return widget.raw_value if given else [widget.options[int(widget.default[0])]]
        case "selectbox":
            initial = widget.options[widget.default] if widget.HasField("default") else None
            return widget.raw_value if given else initial
        case "button_group":
            initial = [widget.options[index].content for index in widget.default]
            return widget.raw_values if given else initial
        case "number_input" | "text_input":
            initial = widget.default if widget.HasField("default") else None
            return widget.value if given else initial
        case _:
            return widget.value if given else widget.default


def _state(kind: str, widget: Any, value: Any) -> WidgetState:
    """The message that says the widget holds `value`; a widget without a value has no field set."""
    state = WidgetState(id=widget.id)
    select_slider = kind == "slider" and widget.options
    field = "string_array_value" if select_slider else _FIELDS[kind]
    if field.endswith("_array_value"):
        getattr(state, field).SetInParent()
        getattr(state, field).data.extend(value)
    elif value is not None:
        setattr(state, field, value)
    return state


def load_files(url: str, files: Sequence[str], *, timeout: float = 60.0) -> None:
    """Fetch files of the server at `url` over as many connections as a browser opens.

    By hand, for `http.client` would take more of the machine for each than the server does.
    """
    parts = urlsplit(url)
    with ExitStack() as opened:
        streams = []
        for _ in files[:6]:
            connection = socket.create_connection((parts.hostname, parts.port), timeout)
            opened.enter_context(connection)
            streams.append(opened.enter_context(connection.makefile("rwb")))
        for file, stream in zip(files, itertools.cycle(streams), strict=False):
            lines = (f"GET {file} HTTP/1.1", f"Host: {parts.netloc}", "Accept-Encoding: gzip")
            stream.write("\r\n".join((*lines, "", "")).encode())
            stream.flush()
            status = stream.readline().split(b" ", 1)[-1].strip().decode()
            if not status.startswith("200"):
                raise PageError(f"{file}: {status}")
            headers = itertools.takewhile(bytes.strip, stream)
            fields = dict(header.lower().split(b":", 1) for header in headers)
            stream.read(int(fields[b"content-length"]))


class Student:
    """A browser tab without a screen. `open` a page, then `change` its widgets."""

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        """Connect to the server at `url`; `timeout` bounds each wait for a message."""
        self.host = urlsplit(url).netloc
        self._timeout = timeout
        self._socket = websocket.create_connection(
            f"ws://{self.host}/_stcore/stream",
            timeout=timeout,
            subprotocols=["streamlit"],
            sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        self._http = http.client.HTTPConnection(self.host, timeout=timeout)
        self._fetched: set[str] = set()
        self._elements: dict[DeltaPath, _Shown] = {}
        self._values: dict[str, WidgetState] = {}
        self._cache: dict[str, _Cached] = {}
        self._runs = 0
        self._max_age = 2
        self._page_hash = ""
        self._main_hash = ""
        self._page_hashes: dict[str, str] = {}
        self.query: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Return the connected student."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the tab."""
        self.close()

    def close(self) -> None:
        """Close the tab."""
        self._socket.close()
        self._http.close()

    def vanish(self) -> None:
        """Go without a word to the server, as a laptop that is shut does."""
        self._socket.shutdown()  # type: ignore[no-untyped-call]
        self._http.close()

    def answer_pings(self) -> None:
        """Do what a browser does all the time; else the server hangs up on a long idle student."""
        connection = self._socket.sock
        while connection and select.select([connection], [], [], 0)[0]:
            kind, frame = self._socket.recv_data_frame(control_frame=True)  # with a pong for a ping
            if kind == websocket.ABNF.OPCODE_BINARY:
                self._take(ForwardMsg.FromString(frame.data), set(), [])

    @property
    def pages(self) -> list[str]:
        """Names of the pages that there are, "" for the first."""
        return list(self._page_hashes)

    @property
    def address(self) -> str:
        """What the address bar shows: path and query."""
        names = {page_hash: name for name, page_hash in self._page_hashes.items()}
        return f"/{names.get(self._page_hash, '')}?{urlencode(self.query)}"

    def open(self, address: str = "/") -> Reply:
        """Show the page at `address`, path and query; later calls switch pages in the same tab."""
        parts = urlsplit(address)
        name = parts.path.strip("/")
        self.query |= dict(parse_qsl(parts.query))
        if not self._page_hashes:
            return self._rerun(page_name=name)
        self._switch(name)
        return self._rerun(by_history=True)

    def go(self, **parameters: str) -> Reply:
        """Follow a link to the same page with other parameters, as Back does, too."""
        self.query |= parameters
        return self._rerun(by_history=True)

    def _switch(self, name: str) -> None:
        if name not in self._page_hashes:
            raise PageError(f"no page {name!r}; there are {sorted(self._page_hashes)}")
        # A page switch clears what the page drew and keeps what the frame drew.
        self._elements = {
            path: shown
            for path, shown in self._elements.items()
            if shown.script_hash == self._main_hash
        }
        self._forget_gone_widgets()
        self._page_hash = self._page_hashes[name]

    def keys(self) -> list[str]:
        """Keys of the widgets and components on the page."""
        widgets = [_key(widget.id) for widget, _, _ in self._widgets()]
        return widgets + [_key(shown.element.bidi_component.id) for shown in self._components()]

    def fragment_of(self, key: str) -> str:
        """Id of the fragment that holds the widget; empty outside of fragments."""
        return self._find(key)[1].fragment_id

    def value(self, key: str) -> Any:
        """The widget's value, as it would be sent."""
        return _content(self._values[self._find(key)[0].id])

    def change(self, key: str, value: Any = True) -> Reply:
        """Set the widget, as a hand on the page would, and wait for what the server answers.

        Sliders and number inputs take a number, select boxes and button groups the option's text,
        toggles a bool, text inputs a text; a button takes nothing. A list sets several values.
        """
        widget, shown, kind = self._find(key)
        if kind in {"slider", "button_group"} and not isinstance(value, list):
            value = [value]
        self._values[widget.id] = _state(kind, widget, value)
        if param := getattr(widget, "query_param_key", ""):
            self._write_address(param, value, _value(kind, widget, default=True))
        reply = self._rerun(fragment_id=shown.fragment_id)
        if kind == "button":  # a press is sent once
            self._values.pop(widget.id, None)
        return reply

    def data(self, key: str) -> dict[str, Any]:
        """What the server has given a component to draw, where that is JSON."""
        found: dict[str, Any] = json.loads(self._component(key).element.bidi_component.bytes)
        return found

    def choose(self, key: str, **parameters: str) -> Reply:
        """Let a component's JavaScript write a choice into the URL and ask the server to draw."""
        self.query |= parameters
        return self.say(key, "pick", parameters)

    def say(self, key: str, event: str, value: object) -> Reply:
        """Let a component's JavaScript tell the server of an event."""
        shown = self._component(key)
        said = json.dumps([{"event": event, "value": value}])
        name = _make_trigger_id(shown.element.bidi_component.id, "events")
        self._values[name] = WidgetState(id=name, json_trigger_value=said)
        reply = self._rerun(fragment_id=shown.fragment_id)
        self._values.pop(name, None)
        return reply

    def _component(self, key: str) -> _Shown:
        for shown in self._components():
            if _key(shown.element.bidi_component.id) == key:
                return shown
        raise PageError(f"no component {key!r} on the page; there are {self.keys()}")

    def _components(self) -> list[_Shown]:
        shown = self._elements.values()
        return [each for each in shown if each.element.WhichOneof("type") == "bidi_component"]

    def _write_address(self, param: str, value: Any, default: Any) -> None:
        """Keep a bound widget's value in the query string; a default is left out of it."""
        many = value if isinstance(value, list) else [value]
        if many == (list(default) if isinstance(value, list) else [default]):
            self.query.pop(param, None)
        else:
            self.query[param] = ",".join(_as_javascript(each) for each in many)

    def _rerun(
        self, *, page_name: str = "", fragment_id: str = "", by_history: bool = False
    ) -> Reply:
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string = urlencode(self.query)
        rerun.page_script_hash = self._page_hash
        rerun.page_name = page_name
        rerun.fragment_id = fragment_id
        rerun.is_history_navigation = by_history
        rerun.cached_message_hashes.extend(self._cache)
        rerun.widget_states.CopyFrom(WidgetStates(widgets=self._values.values()))
        rerun.context_info.timezone = "Etc/UTC"
        rerun.context_info.locale = "en-US"
        rerun.context_info.url = f"http://{self.host}/{page_name}"
        payload = message.SerializeToString()
        sent = time.perf_counter()
        self._socket.send_binary(payload)
        return self._receive(sent)

    def _receive(self, sent: float) -> Reply:
        """Read messages until the script has finished, and draw the page from them."""
        received, touched, images = 0, set[DeltaPath](), list[str]()
        while True:
            payload = self._socket.recv()
            assert isinstance(payload, bytes)
            received += len(payload)
            message = ForwardMsg.FromString(payload)
            kind = message.WhichOneof("type")
            if kind == "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue  # the script called st.rerun: its next run follows
                latency = time.perf_counter() - sent
                break
            self._take(message, touched, images)
        self._end_run(list(message.metadata.run.fragment_ids), touched)
        received += self._fetch(images)
        return Reply(latency, time.perf_counter() - sent, received)

    def _take(self, message: ForwardMsg, touched: set[DeltaPath], images: list[str]) -> None:
        """Apply one message to the page."""
        metadata = message.metadata
        if message.ref_hash:
            cached = self._cache[message.ref_hash]
            cached.last_used = self._runs
            message = cached.message
        elif metadata.cacheable:
            self._cache.setdefault(message.hash, _Cached(message, self._runs))
        kind = message.WhichOneof("type")
        if kind == "new_session":
            session = message.new_session
            self._page_hash, self._main_hash = session.page_script_hash, session.main_script_hash
            self._max_age = session.config.max_cached_message_age
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
            self._page_hashes = {
                "" if page.is_default else page.url_pathname: page.page_script_hash
                for page in message.navigation.app_pages
            }
        elif kind == "page_info_changed":
            self.query = dict(parse_qsl(message.page_info_changed.query_string))
        elif kind == "page_not_found":
            raise PageError(f"no page {message.page_not_found.page_name!r}")
        elif kind == "session_event":
            if message.session_event.HasField("script_compilation_exception"):
                raise PageError(_say(message.session_event.script_compilation_exception))
        elif kind == "delta":
            path = tuple(metadata.delta_path)
            touched.add(path)
            self._elements.pop(path, None)
            if message.delta.HasField("new_element"):
                element = message.delta.new_element
                fragment_id, script_hash = message.delta.fragment_id, metadata.active_script_hash
                self._draw(path, _Shown(element, fragment_id, script_hash))
                images.extend(image.url for image in element.imgs.imgs)

    def _draw(self, path: DeltaPath, shown: _Shown) -> None:
        kind = shown.element.WhichOneof("type")
        if kind == "exception":
            raise PageError(_say(shown.element.exception))
        self._elements[path] = shown
        if kind in _FIELDS and kind != "button":
            widget = getattr(shown.element, kind)
            if widget.id not in self._values or widget.set_value:
                self._values[widget.id] = _state(kind, widget, _value(kind, widget))

    def _end_run(self, fragments: list[str], touched: set[DeltaPath]) -> None:
        """Clear what the run has not drawn again, and age the cache, as the browser does."""
        self._elements = {
            path: shown
            for path, shown in self._elements.items()
            if path in touched or (fragments and shown.fragment_id not in fragments)
        }
        self._forget_gone_widgets()
        self._runs += 1
        for hash_, cached in list(self._cache.items()):
            ages = not fragments or cached.message.delta.fragment_id in fragments
            if ages and self._runs - cached.last_used > self._max_age:
                del self._cache[hash_]

    def _forget_gone_widgets(self) -> None:
        present = {widget.id for widget, _, _ in self._widgets()}
        self._values = {id_: state for id_, state in self._values.items() if id_ in present}

    def _fetch(self, addresses: list[str]) -> int:
        """Fetch the pictures that the browser has not fetched before; return their bytes."""
        received = 0
        for address in addresses:
            if address.startswith("data:") or address in self._fetched:
                continue
            try:
                self._http.request("GET", address)
                response = self._http.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError):
                # The server hangs up on idle connections; browsers, too, then ask once more.
                self._http.close()
                self._http.request("GET", address)
                response = self._http.getresponse()
            received += len(response.read())
            if response.status != 200:
                raise PageError(f"{address}: {response.status} {response.reason}")
            self._fetched.add(address)
        return received

    def _widgets(self) -> list[tuple[Any, _Shown, str]]:
        return [
            (getattr(shown.element, kind), shown, kind)
            for shown in self._elements.values()
            if (kind := shown.element.WhichOneof("type")) in _FIELDS
        ]

    def _find(self, key: str) -> tuple[Any, _Shown, str]:
        for found in self._widgets():
            if _key(found[0].id) == key:
                return found
        raise PageError(f"no widget {key!r} on the page; there are {self.keys()}")


def _as_javascript(value: Any) -> str:
    """A value in an address as the browser writes it: 17 for 17.0, true for True."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _content(state: WidgetState) -> Any:
    field = state.WhichOneof("value")
    if field is None:
        return None
    value = getattr(state, field)
    return list(value.data) if field.endswith("_array_value") else value


def _key(element_id: str) -> str:
    """The user's key at the end of an element id, `$$ID-<hash>-<key>`."""
    return element_id.split("-", 2)[-1]


def _say(exception: Any) -> str:
    return "\n".join([f"{exception.type}: {exception.message}", *exception.stack_trace])
