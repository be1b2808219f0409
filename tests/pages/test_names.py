"""Names of layers and folders, and a model's card, are text on each page, whatever they contain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from google.protobuf.message import Message
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from core.models import model_folder
from tests.harness.renamed import CARD, FOLDER, FOREIGN, LAYERS, write_model
from tests.pages.conftest import COMPARED, PARTS, Open, assert_sound, html, text

# Elements whose strings Streamlit does not read as Markdown; `html` is looked at by itself.
PLAIN = {"html", "bidi_component", "vega_lite_chart", "selectbox", "multiselect"}
# Of these, what is no Markdown: addresses, and parameters of the address.
PLAIN_FIELDS = {"id", "url", "key", "query_param_key", "scope", "anchor"}
PANELS = ("numbers", "top images", "epochs")
OPENED = {"download", "download_kernels", "download_epochs", "download_effects", f"card_{FOLDER}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    write_model(models / FOLDER, LAYERS, CARD)
    return models


@pytest.fixture(autouse=True)
def use_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = model_folder.find
    monkeypatch.setattr(model_folder, "find", lambda: find(folder))


def strings(message: Message) -> Iterator[str]:
    """All strings of a message that Streamlit may read as Markdown."""
    for field, value in message.ListFields():
        if field.name in PLAIN_FIELDS:
            continue
        for item in value if field.is_repeated else [value]:
            if isinstance(item, str):
                yield item
            elif isinstance(item, Message):
                yield from strings(item)


def markdown(app: AppTest) -> list[str]:
    """All Markdown of the page: of the elements, and of what holds others."""

    def visit(node: Any) -> Iterator[str]:
        proto = getattr(node, "proto", None)
        if isinstance(proto, Message) and node.type not in PLAIN:
            yield from strings(proto)
        for child in getattr(node, "children", {}).values():
            yield from visit(child)

    return list(visit(app._tree))


def assert_is_text(words: str) -> None:
    shown = MarkdownIt("commonmark").render(words)
    assert not re.search("<(img|a|em|strong|h1|ol|ul|script)\\b", shown), shown


def assert_names_are_text(app: AppTest) -> None:
    assert_sound(app)
    for words in markdown(app):
        assert not any(name in words for name in (FOLDER, *LAYERS.values())), words
        assert_is_text(words)
    page = html(app)
    assert not re.search(f"<img src=(https:|//){FOREIGN}", page)
    assert "<script" not in page


VIEWS = [
    *(("filter_explorer", {"panel": panel}) for panel in PANELS),
    *(("class_comparison", {"compare": part}) for part in COMPARED),
    *(("model_training", {"part": part}) for part in PARTS),
    *((page, {}) for page in ("home", "dataset_gallery", "ablation", "embedding")),
]


@pytest.mark.parametrize(("page", "parameters"), VIEWS)
@pytest.mark.parametrize("layer", [LAYERS["conv_layer_1"], LAYERS["conv_layer_3"]])
def test_names_are_text_on_every_page(
    open_page: Open, page: str, parameters: dict[str, str], layer: str
) -> None:
    app = open_page(page, **parameters)
    for key in OPENED:
        app.session_state[key] = True
    app.query_params["layer"] = layer
    assert_names_are_text(app.run())


def test_every_layer_can_be_chosen_and_is_named(open_page: Open) -> None:
    app = open_page("filter_explorer")
    for layer in LAYERS.values():
        app.query_params["layer"] = layer
        assert_names_are_text(app.run())
        assert f"of {' '.join(layer.split())}" in text(app)


def test_a_link_to_a_layer_opens_it(open_page: Open) -> None:
    """The start page links each map; the address has the layer's own name."""
    for layer in LAYERS.values():
        app = open_page("filter_explorer", layer=layer)
        assert f"of {' '.join(layer.split())}" in text(app)


def test_the_card_has_no_picture(open_page: Open) -> None:
    app = open_page("model_training")
    app.session_state[f"card_{FOLDER}"] = True
    app.run()
    assert_names_are_text(app)
    (card,) = [
        element.proto.body for element in app.get("html") if "model-card" in element.proto.body[:40]
    ]
    assert "described" in card
    assert "<img" not in card
    assert not app.markdown


@pytest.mark.parametrize("page", ["home", "ablation", "model_training"])
@pytest.mark.parametrize("file", ["model.keras", "insights.npz", "history.csv", "card.md"])
def test_a_message_with_a_name_is_text(
    open_page: Open, page: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / FOLDER, LAYERS, CARD)
    (tmp_path / FOLDER / file).write_bytes(b"\xff damaged")
    monkeypatch.setattr(model_folder, "find", lambda: [model_folder.ModelFolder(tmp_path / FOLDER)])
    app = open_page(page)
    app.session_state[f"card_{FOLDER}"] = True
    app.run()
    assert not app.exception
    for words in markdown(app):
        assert_is_text(words)


@pytest.mark.parametrize("page", ["ablation", "filter_explorer", "class_comparison"])
def test_a_network_without_convolutions_is_named_as_text(
    open_page: Open, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax", name="![p](evil.png)"),
        ]
    )
    (tmp_path / FOLDER).mkdir()
    model.save(tmp_path / FOLDER / "model.keras")
    monkeypatch.setattr(model_folder, "find", lambda: [model_folder.ModelFolder(tmp_path / FOLDER)])
    assert_names_are_text(open_page(page, layer="flatten"))
