"""JavaScript modules that are joined into one string."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ui.components import epoch_player, image_map, microscope
from ui.components.modules import JavaScriptModules

JOINED = {
    "epoch_player": epoch_player._MODULES,
    "image_map": image_map._MODULES,
    "microscope": microscope._MODULES,
}


@pytest.mark.parametrize("name", JOINED)
def test_imported_modules_come_first(name: str) -> None:
    loaded = set[str]()
    for path, text in JOINED[name].sources.items():
        if path.endswith(".js"):
            assert set(re.findall(r'from "(.*?)"', text)) <= loaded, path
        loaded.add(path)
    assert path == "./main.js"


@pytest.mark.parametrize("name", JOINED)
def test_all_files_of_the_folder_are_joined(name: str) -> None:
    folder = Path(microscope.__file__).parents[1] / name
    files = {f"./{path.name}" for path in folder.glob("*.js")}
    assert files <= JOINED[name].sources.keys()


def test_component_calls_functions_of_main(tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text('export const show = () => "é";')
    modules = JavaScriptModules("example", tmp_path, ["main.js"])
    assert "main.show(component)" in modules.call("show")
    carrier = modules.carry_and_call("show")
    assert carrier.endswith(modules.call("show"))
    assert 'const NAME = "example";' in carrier
    assert r'"./main.js": "export const show = () => \"é\";"' in carrier
