"""Checks of Python and of the installed packages."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

from core.paths import REPOSITORY
from tools.doctor.findings import INSTALL, Finding

TESTED_PYTHONS = ((3, 11), (3, 13))
"""The first and the last version that the pins of requirements.txt resolve on."""
TRAINING_PACKAGES = frozenset({"tensorflow", "tensorflow-cpu", "openTSNE"})


def check_python() -> Iterator[Finding]:
    """Check that Python is one of the versions that the pins resolve on."""
    first, last = TESTED_PYTHONS
    name = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    tested = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
    if sys.version_info[:2] < first:
        yield Finding("broken", f"{name}: too old, install one of {tested}")
    elif sys.version_info[:2] > last:
        yield Finding("warning", f"{name}: newer than what is tested, {tested}")
    else:
        yield Finding("good", name)


def check_packages(requirements: Path = REPOSITORY / "requirements.txt") -> Iterator[Finding]:
    """Check that the packages of requirements.txt are installed as pinned for this machine."""
    from packaging.requirements import Requirement

    lines = (line.partition("#")[0].strip() for line in requirements.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line]
    wanted = [package for package in wanted if package.marker is None or package.marker.evaluate()]
    as_pinned = 0
    for package in wanted:
        name = package.name
        installed = _installed(name)
        if installed is None and name in TRAINING_PACKAGES:
            yield Finding("warning", f"{name}: missing, needed only for training: {INSTALL}")
        elif installed is None:
            yield Finding("broken", f"{name}: missing: {INSTALL}")
        elif not package.specifier.contains(installed, prereleases=True):
            yield Finding(
                "warning",
                f"{name}: {installed} is not {package.specifier} as tested: {INSTALL}",
            )
        else:
            as_pinned += 1
    if as_pinned == len(wanted):
        yield Finding("good", f"packages: all {as_pinned} as pinned in {requirements.name}")


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
