"""The structure of the code: which package may import which, no cycles, no long files."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "core": {"core"},
    "server": {"core", "server"},
    "tools": {"core", "tools"},
    "ui": {"core", "server", "ui"},
    "pages": {"core", "pages", "ui"},
    "benchmarks": {"benchmarks", "core", "tests", "ui"},
}
"""Imports point one way: pages → ui → server → core."""

EXCEPTIONS = {"core.doctor": {"tools"}, "ui.app": {"pages"}}
"""A command that forwards, and the script that Streamlit runs, which starts the pages."""

MAX_PYTHON_LINES = 400
MAX_JAVASCRIPT_LINES = 450


def modules() -> dict[str, Path]:
    """Return the path of each module of the app, by its dotted name."""
    found = {}
    for package in MAY_IMPORT:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if (
                "peer" not in parts
            ):  # the direct port of the tutorial, which the app is timed against
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, *, at_import_only: bool) -> set[str]:
    """Return the dotted names that a module imports.

    Args:
        path: The module's file.
        at_import_only: Leave out imports inside functions and for type checkers.
    """
    found = set()
    tree = ast.parse(path.read_text())
    nodes = tree.body if at_import_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tracked_files(pattern: str) -> list[Path]:
    """Return the files that git tracks and whose names fit a pattern such as `*.py`."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    command = ["git", "ls-files", "-z", "--", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.exists()]  # one may just have been removed


def longer_than(max_lines: int, paths: list[Path]) -> dict[str, int]:
    """Return the lengths of the files that have too many lines, by path in the repository."""
    assert paths
    lengths = {str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in paths}
    return {name: lines for name, lines in lengths.items() if lines > max_lines}


MODULES = modules()


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name: str) -> None:
    own = {module.partition(".")[0] for module in imports(MODULES[name], at_import_only=False)}
    assert own & {*MAY_IMPORT, "tests"} <= MAY_IMPORT[name.partition(".")[0]] | EXCEPTIONS.get(
        name, set()
    )


def test_core_does_not_know_streamlit() -> None:
    known = {
        name
        for name, path in MODULES.items()
        if name.startswith("core.")
        and any(module.startswith("streamlit") for module in imports(path, at_import_only=False))
    }
    assert known == set()


@pytest.mark.parametrize(
    ("at_import_only", "expected"), [(True, set()), (False, {"core.training.backend"})]
)
def test_only_training_imports_tensorflow_and_keras_inside_functions(
    at_import_only: bool, expected: set[str]
) -> None:
    users = {
        name
        for name, path in MODULES.items()
        if {"keras", "tensorflow"}
        & {module.partition(".")[0] for module in imports(path, at_import_only=at_import_only)}
    }
    assert {name for name in users if not name.startswith("benchmarks.")} == expected


def test_there_are_no_import_cycles() -> None:
    graph = {
        name: {module for module in imports(path, at_import_only=True) if module in MODULES}
        for name, path in MODULES.items()
    }
    for name in graph:  # a package's own __init__ imports its modules, and they not it
        graph[name].discard(name)
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"these import each other: {sorted(graph)}"
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}


def test_python_files_are_short() -> None:
    paths = [path for path in tracked_files("*.py") if ROOT / "tests" not in path.parents]
    assert longer_than(MAX_PYTHON_LINES, paths) == {}


def test_javascript_files_are_short() -> None:
    assert longer_than(MAX_JAVASCRIPT_LINES, tracked_files("*.js")) == {}
