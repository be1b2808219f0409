"""What the server writes down of itself, and that it stays out of the way."""

from __future__ import annotations

import io
import logging
import os
import platform
import re
import shlex
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.dataset import sources
from core.models import model_folder
from server import log
from tests.harness.server import Server
from tests.harness.student import Student

SCRIPT = """
import streamlit as st
from server import log
log.started()
log.session({page!r})
st.button("Again", key="again")
"""

Fields = dict[str, str]


def lines(text: str, event: str) -> list[Fields]:
    """The fields of each line about an event."""
    words = [shlex.split(line) for line in text.splitlines() if f" event={event} " in line]
    return [dict(word.split("=", 1) for word in line) for line in words]


def own_handlers() -> list[logging.Handler]:
    """The handlers that are not pytest's."""
    return [each for each in log._log.handlers if isinstance(each, log._StandardError)]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process that has not run a script."""
    st.cache_resource.clear()
    monkeypatch.setattr(log, "_first_run", Lock())
    yield
    for handler in own_handlers():
        log._log.removeHandler(handler)


class Written:
    """What went to standard error."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture, self._text = capture, ""

    def __str__(self) -> str:
        self._text += self._capture.readouterr().err
        return self._text


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    return Written(capsys)


def visit(page: str, **parameters: str) -> AppTest:
    app = AppTest.from_string(SCRIPT.format(page=page))
    app.query_params.update(parameters)
    return app.run()


def leave() -> None:
    """Streamlit lets go of what belongs to sessions, as when their browsers disconnect."""
    st.cache_resource.clear()


class TestStarted:
    def test_what_runs_here(self, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(sources.DIR_VARIABLE, raising=False)
        monkeypatch.setattr(sources, "SYSTEM_DIR", Path("nowhere"))
        monkeypatch.setattr(sources, "CACHE_DIR", Path("nowhere"))
        visit("home")
        (line,) = lines(str(written), "started")
        project = tomllib.loads((log.ROOT / "pyproject.toml").read_text())["project"]
        assert line.pop("time").endswith("Z")
        assert line == {
            "level": "INFO",
            "event": "started",
            "version": project["version"],
            "python": platform.python_version(),
            "streamlit": st.__version__,
            "numpy": log.np.__version__,
            "models": ",".join(folder.name for folder in model_folder.find()),
            "test_images": "bundled",
            "training_images": "missing",
            **{name.split(".")[1]: log._word(st.get_option(name)) for name in log.SETTINGS},
        }

    def test_a_folder_of_ones_own_is_not_named(
        self, written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        folder = tmp_path / "anna"
        folder.symlink_to(sources.BUNDLED_DIR)
        monkeypatch.setenv(sources.DIR_VARIABLE, str(folder))
        visit("home")
        (line,) = lines(str(written), "started")
        assert line["test_images"] == sources.DIR_VARIABLE
        assert "anna" not in str(written)

    def test_once_a_process(self, written: Written) -> None:
        for _ in range(3):
            visit("home").run()
        assert len(lines(str(written), "started")) == 1


class TestSession:
    def test_nothing_until_it_ends(self, written: Written) -> None:
        visit("home").button(key="again").click().run()
        assert lines(str(written), "session") == []

    def test_one_line_at_its_end(self, written: Written) -> None:
        app = visit("filter_explorer").button(key="again").click().run()
        assert not app.exception
        leave()
        leave()
        (line,) = lines(str(written), "session")
        assert len(line.pop("number")) == 8
        assert line.pop("time")
        assert int(line.pop("seconds")) < 30
        assert line == {
            "level": "INFO",
            "event": "session",
            "page": "filter_explorer",
            "link": "true",
            "back": "false",
            "pages": "1",
            "runs": "2",
        }

    @pytest.mark.parametrize(
        ("page", "parameters", "link"),
        [("", {}, "false"), ("home", {}, "false"), ("", {"image": "3"}, "true")],
    )
    def test_a_link_leads_elsewhere_than_home(
        self, written: Written, page: str, parameters: dict[str, str], link: str
    ) -> None:
        visit(page, **parameters)
        leave()
        (line,) = lines(str(written), "session")
        assert (line["page"], line["link"]) == ("home", link)

    def test_nothing_from_the_address_is_written(self, written: Written) -> None:
        visit("secret\nevent=session number=0", image="secret")
        leave()
        (line,) = lines(str(written), "session")
        assert line["page"] == "unknown"
        assert "secret" not in "".join(line.values())

    def test_a_page_is_counted_once(self, written: Written) -> None:
        app = visit("home")
        for page in ("embedding", "home", "embedding"):
            app._script_path = AppTest.from_string(SCRIPT.format(page=page))._script_path
            app.run()
        leave()
        (line,) = lines(str(written), "session")
        assert (line["page"], line["pages"], line["runs"]) == ("home", "2", "4")

    def test_a_browser_that_comes_back_keeps_its_number(self, written: Written) -> None:
        app = visit("home")
        leave()
        app.run()
        leave()
        first, second = lines(str(written), "session")
        assert first["number"] == second["number"]
        assert (first["back"], second["back"], second["runs"]) == ("false", "true", "1")

    def test_two_browsers_have_two_numbers(self, written: Written) -> None:
        visit("home")
        visit("home")
        leave()
        first, second = lines(str(written), "session")
        assert first["number"] != second["number"]


class TestHandler:
    def test_one_and_not_the_roots(self, written: Written) -> None:
        root = logging.getLogger().handlers[:]
        for _ in range(3):
            visit("home")
        assert len(own_handlers()) == 1
        assert logging.getLogger().handlers == root
        assert str(written).count("event=started") == 1

    @pytest.mark.parametrize(
        ("value", "word"),
        [
            ("a/b-c.1", "a/b-c.1"),
            ("a b", '"a b"'),
            ("a\nb", '"a\\nb"'),
            ("ä", '"\\u00e4"'),
            ("", '""'),
            (True, "true"),
            (7, "7"),
        ],
    )
    def test_a_value_is_one_word(self, value: object, word: str) -> None:
        assert log._word(value) == word


class TestHarmless:
    def test_no_page_fails_for_a_log(
        self, written: Written, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_arguments: object, **_fields: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(log, "_write", fail)
        monkeypatch.setattr(log, "_until_disconnected", fail)
        assert not visit("home").exception
        assert "event=" not in str(written)

    @pytest.mark.parametrize("closed", [True, False])
    def test_standard_error_that_is_gone(
        self, monkeypatch: pytest.MonkeyPatch, closed: bool
    ) -> None:
        stream = io.StringIO()
        stream.close()
        log._set_up()
        monkeypatch.setattr(sys, "stderr", stream if closed else None)
        log._write("started")
        back = io.StringIO()
        monkeypatch.setattr(sys, "stderr", back)
        log._write("session")
        # What nobody could read is gone, and what follows is written.
        assert re.findall(r"event=(\w+)", back.getvalue()) == ["session"]

    def test_a_script_run_costs_next_to_nothing(self) -> None:
        costs = AppTest.from_string(
            """
            import time
            import streamlit as st
            from server import log
            def cost():
                began = time.thread_time()
                for _ in range(100):
                    log.started()
                    log.session("home")
                return (time.thread_time() - began) / 100
            log.session("home")
            st.session_state["cost"] = min(cost() for _ in range(5))
            """
        ).run()
        assert costs.session_state["cost"] < 1e-4


def test_a_server_tells_when_a_browser_has_left(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(SCRIPT.format(page="class_comparison"))
    env = {name: "" for name in os.environ if name.startswith("STREAMLIT_")}
    with Server(script, env=env) as server:
        with Student(server.url) as student, Student(server.url) as other:
            other.open("/")
            student.open("/?class_a=7")
            student.change("again")
            assert lines(server.log(), "session") == []
        deadline = time.monotonic() + 20
        while len(lines(server.log(), "session")) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        said = server.log()
    assert len(lines(said, "started")) == 1
    sessions = lines(said, "session")
    assert sorted(line["runs"] for line in sessions) == ["1", "2"]
    assert {line["page"] for line in sessions} == {"class_comparison"}
    assert "class_a" not in said
    assert "127.0.0.1" not in "".join(line for line in said.splitlines() if "event=" in line)
