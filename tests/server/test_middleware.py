"""Addresses that are no page lead to the first page."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urljoin

import pytest
import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from server.middleware import UnknownPages

PAGES = ["home", "filter_explorer"]


async def streamlit(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand-in for the app."""
    await PlainTextResponse("the app")(scope, receive, send)


def get(path: str, query: str = "", base_path: str = "", dest: str = "document") -> tuple[int, str]:
    """Return the status, and the URL that a browser goes to."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"sec-fetch-dest", dest.encode())],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "get_option", {"server.baseUrlPath": base_path}.__getitem__)
        middleware = UnknownPages(streamlit, PAGES)
    asyncio.run(middleware(scope, receive, send))
    headers = dict(sent[0]["headers"])
    return sent[0]["status"], urljoin(path, headers.get(b"location", b"").decode())


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/nosuchpage", "/?unknown=nosuchpage"),
        ("/no/such/page", "/?unknown=no%2Fsuch%2Fpage"),
        ("/filter_explorer/more", "/?unknown=filter_explorer%2Fmore"),
        ("/" + "x" * 1000, "/?unknown=" + "x" * 60),
        ("/a b<c>", "/?unknown=a+b%3Cc%3E"),
    ],
)
def test_unknown_page_leads_to_the_first_one(path: str, target: str) -> None:
    assert get(path) == (302, target)


def test_parameters_of_an_unknown_page_are_kept() -> None:
    assert get("/nosuchpage", "image=7&model=tuned") == (
        302,
        "/?unknown=nosuchpage&image=7&model=tuned",
    )


@pytest.mark.parametrize("base_path", ["filters", "/filters", "filters/"])
def test_base_path_is_kept(base_path: str) -> None:
    assert get("/filters/nosuchpage", base_path=base_path) == (302, "/filters/?unknown=nosuchpage")
    assert get("/filters/home", base_path=base_path)[0] == 200
    assert get("/filters/", base_path=base_path)[0] == 200
    assert get("/elsewhere", base_path=base_path)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home",
        "/filter_explorer",
        "/filter_explorer/",
        "/app/static/test_images.png",
        "/_stcore/health",
        "/_stcore/script-health-check",
        "/favicon.png",
    ],
)
def test_pages_and_files_are_left_alone(path: str) -> None:
    assert get(path)[0] == 200


@pytest.mark.parametrize("dest", ["", "empty", "script", "image"])
def test_only_documents_are_sent_elsewhere(dest: str) -> None:
    assert get("/nosuchpage", dest=dest)[0] == 200
