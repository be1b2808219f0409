"""The app as a visitor drives it, without a browser."""

import functools
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

APP = Path(__file__).parents[2] / "ui" / "app.py"
PAGES = (
    "home",
    "dataset_gallery",
    "model_training",
    "filter_explorer",
    "class_comparison",
    "ablation",
    "embedding",
)

# Of the page on the model and its training, which shows one at a time.
PARTS = ("training", "mistakes", "epochs")

# Of the class comparison, which does so, too.
COMPARED = ("one filter", "all filters", "ten classes")
# Each page, and each part of these two, with what an address asks for it with.
VIEWS: list[tuple[str, dict[str, str]]] = [
    *((page, {}) for page in PAGES if page not in ("model_training", "class_comparison")),
    *(("model_training", {"part": part}) for part in PARTS),
    *(("class_comparison", {"compare": part}) for part in COMPARED),
]

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True, scope="session")
def fast_runs() -> Iterator[None]:
    """Keeps AppTest from two things that take twenty times as long as a page does.

    In each run it looks through all installed packages for components, with the same answer; and
    after it Streamlit resets Keras where that is imported, as it is here by other tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture
def open_page() -> Open:
    """Opens a page at an address: `open_page("filter_explorer", filter=3)`."""

    def open_page(page: str, /, **parameters: object) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        app._page_hash = calc_hash(page)
        for name, value in parameters.items():
            app.query_params[name] = value if isinstance(value, list) else str(value)
        return app.run()

    return open_page


def go_to(app: AppTest, page: str) -> AppTest:
    """Follow a link to another page, which keeps the parameters of the URL."""
    app._page_hash = calc_hash(page)
    return app.run()


def html(app: AppTest) -> str:
    """All HTML on the page, styles left out."""
    bodies = "".join(element.proto.body for element in app.get("html"))
    return re.sub(r"<style>.*?</style>", "", bodies, flags=re.DOTALL)


def text(app: AppTest) -> str:
    """The words of the page's HTML."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html(app))))


def asked(app: AppTest, name: str) -> dict[str, Any]:
    """What the server gives a component to draw."""
    protos = [element.proto for element in app.get("bidi_component")]
    (component,) = [proto for proto in protos if proto.component_name == name]
    data: dict[str, Any] = json.loads(component.bytes)
    return data


def explored(app: AppTest) -> tuple[str, int]:
    """The layer and the filter that the explorer shows."""
    sheet = asked(app, "feature_sheet")
    return sheet["layer"], sheet["choice"]["filter"]


def compared(app: AppTest) -> int:
    """The filter that the class comparison shows."""
    index: int = asked(app, "filter_slider")["choice"]["filter"]
    return index


def assert_sound(app: AppTest) -> None:
    """No exception, no error, and no value that was not computed."""
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    assert not re.search(r"\bnan\b|\binf\b|None", text(app)), text(app)
