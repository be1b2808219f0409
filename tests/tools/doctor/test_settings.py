"""Check of Streamlit's effective settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools.doctor.single import only
from tools.doctor import settings


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("STREAMLIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def write(folder: Path, text: str) -> None:
    (folder / ".streamlit").mkdir(parents=True)
    (folder / ".streamlit" / "config.toml").write_text(text)


def test_settings_of_the_project_are_good(tmp_path: Path) -> None:
    # A person's own file counts less than the project's.
    write(tmp_path, "[runner]\npostScriptGC = true\n")
    finding = only(settings.check_settings())
    assert finding.state == "good"
    assert finding.text.endswith("as in .streamlit/config.toml")


def test_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_RUNNER_POST_SCRIPT_GC", "true")
    finding = only(settings.check_settings())
    assert finding.state == "warning"
    assert "runner.postScriptGC: true, where .streamlit/config.toml has false" in finding.text
    assert "tens of milliseconds" in finding.text
    assert finding.text.endswith("unset STREAMLIT_RUNNER_POST_SCRIPT_GC")


def test_environment_with_the_same_value_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_FILE_WATCHER_TYPE", "none")
    assert only(settings.check_settings()).state == "good"


def test_missing_settings(tmp_path: Path) -> None:
    finding = only(settings.check_settings(tmp_path))
    assert finding.state == "warning"
    assert "missing" in finding.text


def test_damaged_settings(tmp_path: Path) -> None:
    write(tmp_path / "app", "[runner\n")
    finding = only(settings.check_settings(tmp_path / "app"))
    assert finding.state == "broken"
    assert "cannot be read" in finding.text


def test_setting_unknown_to_streamlit(tmp_path: Path) -> None:
    write(tmp_path / "app", "[runner]\nnoSuchThing = 1\n")
    finding = only(settings.check_settings(tmp_path / "app"))
    assert finding.state == "warning"
    assert "unknown to this Streamlit" in finding.text


def test_broken_streamlit_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "app", "[runner]\n")
    monkeypatch.setattr(settings, "_ASK_STREAMLIT", "raise SystemExit('no streamlit')")
    finding = only(settings.check_settings(tmp_path / "app"))
    assert finding.state == "broken"
    assert "no streamlit" in finding.text


def test_reasons_are_the_comments_right_above() -> None:
    text = "[a]\n# One\n# reason.\nb = 1\nc = 2\n\n# Of the table.\n[d]\n[d.e]\nf = 3\n# g = 4\n"
    assert settings._reasons(text) == {"a.b": "One reason", "d.e.f": "Of the table"}
