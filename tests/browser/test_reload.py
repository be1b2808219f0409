"""The app shows a change of its code without a restart, if it was started to do so."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import StartServer, Visit, copy_app
from tests.harness.server import ROOT

# (file, text in it, new text, what the page then shows)
CHANGES = (
    ("pages/home.py", "What the network sees", "What you see", "What you see"),
    ("ui/frame.py", "Predicted: <b>", "Guessed: <b>", "Guessed: Handbag"),
    ("core/dataset/splits.py", '"Bag"', '"Satchel"', "Guessed: Satchel"),
)


def test_change_in_each_package_is_shown(
    start_server: StartServer, visit: Visit, tmp_path: Path
) -> None:
    app = copy_app(tmp_path)
    (tmp_path / "assets/models").mkdir()
    (tmp_path / "assets/models/tuned").symlink_to(ROOT / "assets/models/tuned")
    (tmp_path / "core/dataset/splits.py").write_text(
        (ROOT / "core/dataset/splits.py").read_text().replace('"Bag"', '"Handbag"')
    )
    watching = {
        "PYTHONPATH": str(tmp_path),
        "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "auto",
        "STREAMLIT_SERVER_RUN_ON_SAVE": "true",
    }
    server = start_server(app, watching)
    page = visit(f"{server.url}/")
    for number, (file, old, new, words) in enumerate(CHANGES, start=1):
        path = tmp_path / file
        text = path.read_text()
        old = old.replace("Bag", "Handbag")
        assert old in text
        path.write_text(text.replace(old, new))
        expect(page.get_by_text(words).first).to_be_visible()
        # One line per load of the code: a second log handler would write it twice.
        assert server.log().count("event=started") == 1 + number
