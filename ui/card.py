"""A model's card as HTML: its Markdown without anything that loads from elsewhere or runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any

import streamlit as st
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from core import cache
from core.cache import Version
from core.network import ModelError
from ui import markup

# The parser takes up to 25 microseconds per character of a card that was made to be slow.
MAX_MARKDOWN_CHARACTERS = 2**15


class _Renderer(RendererHTML):
    """Draw an image as its description, and write the address of a link beside its words."""

    def image(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return escape(tokens[idx].content)

    def link_open(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        address = escape(str(tokens[idx].attrs["href"]))
        return f'<a href="{address}" target="_blank" rel="noopener noreferrer">'

    def link_close(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        opening = next(at for at in range(idx, -1, -1) if tokens[at].type == "link_open")
        address = str(tokens[opening].attrs["href"])
        words = "".join(token.content for token in tokens[opening + 1 : idx])
        return "</a>" if words == address else f"</a> ({escape(address)})"


class _Parser(MarkdownIt):
    """Leave a link or an image that is not on the web as it was written."""

    def validateLink(self, url: str) -> bool:
        return url.startswith(("http://", "https://"))


# Without "html", HTML in a card is text.
_markdown = _Parser("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")


@lru_cache(8)
def card_html(markdown: str) -> str:
    """Return a card's Markdown as HTML that loads nothing and runs nothing.

    It keeps headings, tables, lists, quotes, code, bold and italic. An image becomes its
    description, a link to http or https has its address beside it, any other link and all HTML
    become plain text. A card of more than `MAX_MARKDOWN_CHARACTERS` is plain text as a whole.
    """
    if len(markdown) > MAX_MARKDOWN_CHARACTERS:
        return f'<pre class="model-card">{escape(markdown)}</pre>'
    return f'<div class="model-card">{_markdown.render(markdown)}</div>'


def card_menu(name: str, model: Version) -> None:
    """Draw a closed menu with the card of a model, if it came with one."""
    try:
        card, damage = cache.card(model), ""
    except ModelError as error:
        card, damage = "", markup.note(escape(str(error)))
    if card is None:
        return
    menu = st.popover("Model card", key=f"card_{name}", on_change="rerun")
    if menu.open:
        with menu:
            markup.show(damage or card_html(card))
