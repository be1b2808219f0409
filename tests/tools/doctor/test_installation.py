"""Checks of Python and of the installed packages."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from packaging.specifiers import SpecifierSet

from core.paths import REPOSITORY
from tests.tools.doctor.single import only
from tools.doctor import command, installation
from tools.doctor.findings import Finding


def set_version(monkeypatch: pytest.MonkeyPatch, *version: int) -> None:
    monkeypatch.setattr(installation, "sys", SimpleNamespace(version_info=(*version, 0)))


def test_this_python_is_good() -> None:
    finding = only(installation.check_python())
    assert finding.state == "good"
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" == finding.text


def test_python_that_is_too_old_is_the_only_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    set_version(monkeypatch, 3, 10)
    assert only(command.diagnose()) == Finding(
        "broken", "Python 3.10: too old, install one of 3.11 to 3.13"
    )


def test_python_newer_than_tested_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    set_version(monkeypatch, 3, 14)
    assert only(installation.check_python()).state == "warning"


def test_tested_pythons_are_those_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (first, last) = (f"{major}.{minor}" for major, minor in installation.TESTED_PYTHONS)
    assert SpecifierSet(project["requires-python"]).contains(first)
    assert not SpecifierSet(project["requires-python"]).contains("3.10")
    pins = (REPOSITORY / "requirements.txt").read_text()
    named = re.search(r"on Python (3\.\d+), .*and (3\.\d+)\.", pins)
    assert named is not None
    assert named.groups() == (first, last)


@pytest.fixture
def require(tmp_path: Path) -> Callable[..., list[Finding]]:
    """Checks lines as those of requirements.txt."""

    def check(*lines: str) -> list[Finding]:
        file = tmp_path / "requirements.txt"
        file.write_text("# a comment\n\n" + "\n".join(lines))
        return list(installation.check_packages(file))

    return check


def test_packages_as_pinned(require: Callable[..., list[Finding]]) -> None:
    pin = f"numpy=={importlib.metadata.version('numpy')}  # why"
    elsewhere = 'no-such-package==1.0; sys_platform == "plan9"'
    assert require(pin, elsewhere) == [
        Finding("good", "packages: all 1 as pinned in requirements.txt")
    ]


def test_missing_package_is_broken(require: Callable[..., list[Finding]]) -> None:
    (finding,) = require("no-such-package==1.0")
    assert finding == Finding(
        "broken", "no-such-package: missing: `pip install -r requirements.txt`"
    )


def test_another_version_is_a_warning(require: Callable[..., list[Finding]]) -> None:
    (finding,) = require("numpy==0.1")
    assert finding.state == "warning"
    assert f"numpy: {np.__version__} is not ==0.1" in finding.text


@pytest.mark.parametrize("package", ["tensorflow", "tensorflow-cpu", "openTSNE"])
def test_training_packages_are_not_required(
    require: Callable[..., list[Finding]],
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    monkeypatch.setattr(installation, "_installed", lambda _name: None)
    (finding,) = require(f"{package}==1.0")
    assert finding.state == "warning"
    assert "needed only for training" in finding.text


def test_requirements_of_the_project_are_understood() -> None:
    findings = list(installation.check_packages())
    assert not [each for each in findings if each.state == "broken"]
