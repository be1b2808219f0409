"""Names and cards of somebody else: what becomes of them as Markdown, HTML and file names."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.harness.renamed import CARD, FOLDER, LAYERS
from ui import card, markup
from ui.card import card_html

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SYNTAX = st.text("ab1 _-.*`[]()!<>&#+:@~|\\\"'/=^{}$\n\t", max_size=30)


@given(SYNTAX | st.text(max_size=30))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    text = text.replace("\0", "")
    shown = MARKDOWN.render(f"Of {markup.as_text(text)}, too").strip()
    assert re.fullmatch(r"<p>[^<]*</p>", shown), shown
    words = unescape(shown[len("<p>") : -len("</p>")]).replace("\u2060", "")
    assert words.split() == f"Of {text}, too".split()


@given(SYNTAX)
def test_a_line_of_its_own_is_a_paragraph(text: str) -> None:
    shown = MARKDOWN.render(markup.as_text(text)).strip()
    assert re.fullmatch(r"(<p>[^<]*</p>)?", shown), shown


@pytest.mark.parametrize("name", ["conv_layer_1", "conv2d", "block-1.conv", "größe", "My layer 2"])
def test_ordinary_names_are_their_own_markdown(name: str) -> None:
    assert markup.as_text(name) == name


@pytest.mark.parametrize(
    "words", [":smile:", ":material_face:", ":streamlit:", "http://a.b", "www.a.b", "a@b.org"]
)
def test_no_text_is_left_that_streamlit_replaces(words: str) -> None:
    shown = markup.as_text(words).replace("\\", "")
    assert words not in shown
    assert shown.replace("\u2060", "") == words


def test_a_command_of_a_sentence_is_code() -> None:
    message = "a*b*/x is missing: `python -m core.training --output a*b* --replace` writes it."
    assert MARKDOWN.render(markup.sentence(message)).strip() == (
        "<p>a*b*/x is missing: <code>python -m core.training --output a*b* --replace</code> "
        "writes it.</p>"
    )
    assert markup.sentence("`![p](x)`") == markup.as_text("`![p](x)`")


@pytest.mark.parametrize("name", [FOLDER, *LAYERS.values(), "..", "a/b\\c:d"])
def test_file_names_have_no_separator(name: str) -> None:
    assert re.fullmatch(r"[\w.-]+", markup.file_name(name))


class _Elements(HTMLParser):
    """Collect the elements and the text of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


KEPT = {"div", "h1", "p", "a", "table", "thead", "tbody", "tr", "th", "td", "strong", "code"}


def test_a_card_keeps_its_structure_and_loads_nothing() -> None:
    found = _Elements(card_html(CARD))
    assert {tag for tag, _ in found.tags} == KEPT | {"ul", "li"}
    for tag, attributes in found.tags:
        assert set(attributes) <= {"class", "style", "href", "target", "rel"}
        if tag == "a":
            assert str(attributes["href"]).startswith("http://evil.example/")
            assert f"({attributes['href']})" in found.text
    for words in ("A card title", "described", "in a link", "<script>alert(4)</script>", "$x^2$"):
        assert words in found.text
    assert "[script](javascript:alert(3))" in found.text


@given(st.text("ab[]()!<>*`|:-#/\n\"' ", max_size=60))
def test_no_card_has_elements_of_its_own(markdown: str) -> None:
    for tag, attributes in _Elements(card_html(markdown)).tags:
        assert tag not in ("img", "script", "style", "iframe", "link", "object")
        assert "src" not in attributes


def test_a_card_made_to_be_slow_is_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "[" * 2**20
    with monkeypatch.context() as patch:
        patch.setattr(card._Parser, "parse", lambda *_: pytest.fail("it was parsed"))
        assert card_html(slow) == f'<pre class="model-card">{slow}</pre>'
    assert "<h1>" in card_html("# T".ljust(card.MAX_MARKDOWN_CHARACTERS))
