"""A client written by hand says what no browser does: the others are served, then as before."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
import websocket
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import DoubleArray, StringArray
from streamlit.proto.WidgetStates_pb2 import WidgetState

from tests.harness.server import APP, ROOT, Server
from tests.harness.student import PageError
from tests.harness.visitor import Visitor, settled_memory

# Tracebacks as Python writes them, whose last frame can be told.
ENVIRONMENT = {
    "STREAMLIT_LOGGER_ENABLE_RICH": "false",
    "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "1",
}
# Seconds within which everybody else is answered: on a quiet machine 2 at most, while a thousand
# messages are read one after the other.
LONGEST = 15.0
NESTED = "[" * 50_000 + "]" * 50_000
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(APP, env=ENVIRONMENT) as server:
        yield server


@pytest.fixture
def others(server: Server) -> Iterator[None]:
    """Somebody else moves through the filters all the while, and nothing of ours fails."""
    said, latencies, over = len(server.log()), list[float](), Event()
    with Visitor(server.url) as student:
        # The server draws these for each filter; of most others it only hears.
        student.open("filter_explorer?panel=top+images")

        def choose(index: int) -> None:
            latencies.append(student.choose("sheet", filter=str(index)).latency)

        def move() -> None:
            while not over.is_set():
                choose(len(latencies) % 63 + 1)

        thread = Thread(target=move)
        thread.start()
        yield
        over.set()
        thread.join()
        # Once more than they have moved while it went on.
        choose(0)
        assert student.data("sheet")["choice"] == {"filter": 0, "row": None, "col": None}
        assert student.shows("What excites filter 0 of conv_layer_1 most")
    assert len(latencies) > 1
    assert max(latencies) < LONGEST
    assert [file for file in raised_in(server.log()[said:]) if is_ours(file)] == []


def raised_in(log: str) -> list[str]:
    """The file in which each exception was raised."""
    tracebacks = log.split("Traceback (most recent call last):\n")[1:]
    return [re.findall(r'^ *File "(.+?)"', each, re.MULTILINE)[-1] for each in tracebacks]


def is_ours(file: str) -> bool:
    return Path(file).is_relative_to(ROOT) and "site-packages" not in file


def ends(visitor: Visitor) -> int:
    """Listens until the server hangs up; the code that it gives, 0 without one."""
    with suppress(websocket.WebSocketConnectionClosedException):
        while True:
            kind, data = visitor.hear()
            if kind == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")
    return 0


RERUN = BackMsg()
RERUN.rerun_script.query_string = "image=3"
RERUN.rerun_script.widget_states.widgets.add(id="$$ID-0-none", string_value="long enough to be cut")
WHOLE = RERUN.SerializeToString()

PROTOCOL_ERROR, TOO_BIG = 1002, 1009


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (random.Random(1).randbytes(2000), PROTOCOL_ERROR),
        (b"\xff" * 100_000, PROTOCOL_ERROR),
        (WHOLE[:-5], PROTOCOL_ERROR),
        (b"\x00" * 10 * MEGABYTE, TOO_BIG),
        (b"\x00" * 10, PROTOCOL_ERROR),
    ],
    ids=["random", "ones", "truncated", "10 MB", "zeros"],
)
def test_what_is_no_message_ends_only_its_own_connection(
    server: Server, payload: bytes, code: int
) -> None:
    with Visitor(server.url) as visitor:
        visitor.open("")
        visitor.send(payload)
        assert ends(visitor) == code


@pytest.mark.usefixtures("others")
def test_a_text_ends_only_its_own_connection(server: Server) -> None:
    with Visitor(server.url) as visitor:
        visitor._socket.send("rerun, please")
        ends(visitor)


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    "size", [MEGABYTE * 2, MEGABYTE * 20], ids=lambda size: f"{size // MEGABYTE} MB"
)
def test_a_message_of_megabytes_is_refused(server: Server, size: int) -> None:
    """Else one that is no widget's, repeated in an error and its log, takes half a minute."""
    message = BackMsg()
    message.rerun_script.widget_states.widgets.add(id="x" * size, string_value="")
    with Visitor(server.url) as visitor:
        visitor.open("")
        visitor.send(message.SerializeToString())
        assert ends(visitor) == TOO_BIG


def floats(*values: float) -> DoubleArray:
    return DoubleArray(data=values)


def picked(value: object) -> str:
    """What a component says when `value` is picked."""
    return json.dumps([{"event": event, "value": value} for event in ("picked", "pick")])


# Where a component chooses the filter, with the server drawing for each and without.
CHOOSERS = (
    ("filter_explorer", "feature_sheet"),
    ("filter_explorer?panel=top+images", "feature_sheet"),
    ("class_comparison", "filter_slider"),
    ("class_comparison?compare=all+filters", "filter_slider"),
)
# What no component says, and what none of these components picks.
DIGITS = "9" * 5000  # more than Python makes a number of
NO_EVENTS = (
    *("", "{", "5", "[5]", NESTED, picked("x" * (MEGABYTE // 2 - 1000))),
    f'[{{"event": "pick", "value": {{"filter": {DIGITS}}}}}]',
)
NO_CHOICES: list[object] = [
    *(5, None, [], {}, [{"filter": 7}], {"row": 3, "col": 3}),
    *({"filter": 10**30}, {"filter": 1600}, {"filter": 2.5}, {"filter": 1e9}, {"filter": -1}),
    *({"filter": float("nan")}, {"filter": float("-inf")}, {"filter": True}, {"filter": None}),
    *({"filter": "7"}, {"filter": [7]}, {"filter": {"filter": 7}}, {"filter": "x" * 100_000}),
    *({"filter": -1, "row": {}, "col": []}, {"filter": 7, "row": -1, "col": 10**30}),
    {"filter": 7, "row": float("nan"), "col": True},
]

# Page, widget, the field that carries its value, the value. A component's or chart's widget is
# found by its name or key.
WRONG: list[tuple[str, str, str, object]] = [
    ("class_comparison", "examples", "string_value", "hostile"),
    *(
        ("class_comparison", "examples", "double_array_value", floats(*values))
        for values in ([float("nan")], [float("inf")], [1e300], [-1], [2.5], [], [2, 3])
    ),
    *(
        ("filter_explorer", "image", "double_value", value)
        for value in (float("nan"), float("-inf"), 1e300, -1.0, 2.5)
    ),
    ("filter_explorer", "image", "string_value", "hostile"),
    ("filter_explorer", "layer", "string_array_value", StringArray(data=["hostile"])),
    ("filter_explorer", "layer", "string_array_value", StringArray(data=["a", "b"])),
    ("filter_explorer", "layer", "double_value", 1.0),
    ("filter_explorer", "model", "string_value", "../../etc"),
    ("filter_explorer", "model", "bool_value", True),
    ("filter_explorer", "random", "string_value", "hostile"),
    ("class_comparison", "class_a", "string_value", "hostile"),
    ("class_comparison", "images_a", "string_value", "x" * (MEGABYTE - 1000)),
    ("class_comparison", "images_a", "string_value", "1 " * (MEGABYTE // 2 - 1000)),
    ("class_comparison", "images_a", "double_value", 1.0),
    *(
        (page, component, "json_trigger_value", said)
        for page, component in CHOOSERS
        for said in (*NO_EVENTS, *map(picked, NO_CHOICES))
    ),
    *(
        (page, component, "json_value", said)
        for page, component in CHOOSERS
        for said in (json.dumps({"pick": "x" * 900_000}), NESTED, "5", '{"pick": 5}')
    ),
    *(
        ("ablation", "contact_sheet", "json_trigger_value", picked(value))
        for value in (True, 3.0, "3", [3], {"image": 3}, 10**30)
    ),
    *(
        ("model_training?part=mistakes", "confusion", "string_value", said)
        for said in (
            *("", "{", "5", NESTED, '{"selection": null}', '{"selection": {"cell": 5}}'),
            *('{"selection": {"cell": [5]}}', '{"selection": {"cell": [{"true": []}]}}'),
        )
    ),
]


def widget_id(visitor: Visitor, name: str, field: str) -> str:
    for shown in visitor._elements.values():
        kind = shown.element.WhichOneof("type")
        proto = getattr(shown.element, kind)
        ident = getattr(proto, "id", "")
        if kind == "bidi_component" and proto.component_name == name:
            trigger = field == "json_trigger_value"
            return _make_trigger_id(ident, "events") if trigger else ident
        if ident.endswith(f"-{name}"):
            return ident
    raise AssertionError(f"no {name} on the page")


@pytest.mark.usefixtures("others")
def test_wrong_values_fail_at_most_in_streamlits_own_code(server: Server) -> None:
    for page, name, field, value in WRONG:
        with Visitor(server.url) as visitor:
            visitor.open(page)
            state = WidgetState(id=widget_id(visitor, name, field), **{field: value})
            with suppress(PageError):  # for this visitor alone; `others` checks whose code it was
                visitor.tell(state)
            # Whatever it was, the next page is well.
            visitor.open("embedding")


@pytest.mark.usefixtures("others")
def test_a_widget_of_an_earlier_version_is_no_error(server: Server) -> None:
    """As browsers send after a new version was deployed."""
    with Visitor(server.url) as visitor:
        visitor.open("filter_explorer")
        visitor.tell(WidgetState(id="$$ID-0123456789-gone", string_value="old"))


@pytest.mark.usefixtures("others")
def test_a_thousand_reruns_without_waiting(server: Server) -> None:
    with Visitor(server.url) as visitor:
        visitor.open("filter_explorer")
        for number in range(1000):
            visitor.query["image"] = str(number)
            visitor.ask()
        visitor.hear_until(lambda: visitor.shows("test image 999, "))


def test_what_they_sent_is_not_kept(server: Server) -> None:
    def send() -> None:
        for size in range(20):
            with Visitor(server.url) as visitor:
                visitor.open("filter_explorer")
                sheet = widget_id(visitor, "feature_sheet", "json_value")
                text = json.dumps({"pick": "x" * (MEGABYTE - 9000 - size)})
                visitor.tell(WidgetState(id=sheet, json_value=text))

    send()
    before = settled_memory(server, 1)
    send()
    after = settled_memory(server, 1)
    print(f"{before:.0f} MB before, {after:.0f} MB after")
    assert after < 1.1 * before
