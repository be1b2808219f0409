"""HTTP middleware of the app: addresses that are no page lead to the first page."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# What a browser says of a request for a document that it shows.
_DOCUMENTS = frozenset({"document", "iframe"})
MAX_NAME_CHARACTERS = 60


class UnknownPages:
    """Send the visitor of an unknown page to the first page, which names it (`?unknown=`).

    Streamlit would serve the first page below that address, and a dialog that has to be closed.
    """

    def __init__(self, app: ASGIApp, pages: Collection[str]) -> None:
        """Wrap an app.

        Args:
            app: The app.
            pages: Names of all pages.
        """
        # Not before: an app that is started by uvicorn finds its configuration when it is made.
        base_path = st.get_option("server.baseUrlPath") or ""
        self._app = app
        self._pages = frozenset(pages)
        self._folder = "/".join(["", *filter(None, base_path.split("/")), ""])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        name = self._unknown_page(scope) if scope["type"] == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        # Relative, because a proxy may have taken a prefix off the path.
        to_folder = "../" * name.count("/") or "./"
        query = urlencode({"unknown": name[:MAX_NAME_CHARACTERS]})
        rest = scope["query_string"].decode("latin-1")
        target = f"{to_folder}?{query}{'&' if rest else ''}{rest}"
        await RedirectResponse(target, status_code=302)(scope, receive, send)

    def _unknown_page(self, scope: Scope) -> str | None:
        """Return the path below the app's folder of a document that does not exist."""
        path: str = scope["path"]
        if scope["method"] != "GET" or not path.startswith(self._folder):
            return None
        if Headers(scope=scope).get("sec-fetch-dest") not in _DOCUMENTS:
            return None
        name = path.removeprefix(self._folder)
        is_file = "." in name or name.startswith("_stcore/")
        return None if is_file or name.rstrip("/") in self._pages | {""} else name
