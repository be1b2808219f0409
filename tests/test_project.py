"""The project's metadata: `pip install .` installs the dependencies and nothing else."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that pip builds of a copy of the repository; the build would leave files in it."""
    copy = tmp_path_factory.mktemp("copy") / "repository"
    ignored = shutil.ignore_patterns(".*", "assets", "__pycache__", "static")
    shutil.copytree(ROOT, copy, ignore=ignored)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--wheel-dir",
        str(copy),
        str(copy),
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in built.stderr:
        if "CI" in os.environ:
            pytest.fail(built.stderr)
        pytest.skip("the package index, which has setuptools, cannot be reached")
    assert built.returncode == 0, built.stderr
    (path,) = copy.glob("*.whl")
    return zipfile.ZipFile(path)


def test_only_metadata_is_installed(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert names
    assert all(name.startswith("see_the_filters-0.1.0.dist-info/") for name in names)


def test_dependencies_are_those_of_requirements_txt(wheel: zipfile.ZipFile) -> None:
    metadata = email.message_from_bytes(wheel.read("see_the_filters-0.1.0.dist-info/METADATA"))
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]

    def normalized(requirement: str) -> str:
        return requirement.replace(" ", "").replace("'", '"')

    required = metadata.get_all("Requires-Dist") or []
    assert sorted(map(normalized, required)) == sorted(map(normalized, pins))
    assert set(metadata["Requires-Python"].split(",")) == {">=3.11", "<3.14"}
    assert metadata["License-Expression"] == "MIT"
