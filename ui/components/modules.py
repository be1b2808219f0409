"""JavaScript modules that several components of a page share.

A Streamlit component takes one string of JavaScript. One component of the page carries the text of
all modules in it; that component and the others call functions which `main.js` exports.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_LOADER = Path(__file__).with_name("load_modules.js").read_text()

# Waits for the modules, then calls a function of main.js with the component's arguments.
_CALL = """\
export default (component) => {
  const loaded = ((globalThis.seeTheFilters ??= {}).NAME ??= Promise.withResolvers()).promise;
  loaded.then((main) => main.FUNCTION(component));
  return () => loaded.then((main) => main.remove(component));
};
"""


class JavaScriptModules:
    """Modules of one folder, and of the folder of all components."""

    def __init__(self, name: str, folder: Path, files: Sequence[str]) -> None:
        """Read the modules.

        Args:
            name: An identifier of JavaScript, not used by other modules.
            folder: Where the files are.
            files: Their names, each after those that it imports; "../" leads to a file that other
                components use, too. A style sheet is a module that exports its text.
        """
        self._name = name
        self.sources = {
            file if file.startswith("../") else f"./{file}": (folder / file).read_text()
            for file in files
        }

    def carry_and_call(self, function: str) -> str:
        """Return the JavaScript of the component that carries the modules and calls a function."""
        name, sources = (
            json.dumps(value, ensure_ascii=False) for value in (self._name, self.sources)
        )
        constants = f"const NAME = {name};\nconst SOURCES = {sources};\n"
        return constants + _LOADER + self.call(function)

    def call(self, function: str) -> str:
        """Return the JavaScript of a component that calls a function of `main.js`."""
        return _CALL.replace("NAME", self._name).replace("FUNCTION", function)
