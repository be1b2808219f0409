"""Streamlit's own files, the hundred that a browser's first visit asks for, from memory.

Streamlit 1.67 reads each one from the disk in threads of its own, through six layers of software,
and sends it as it is: 3 MB and a tenth of a second of the server's time for each new browser. A
class that has never opened the app waits longer for that than for anything else. Here a file is
read and packed for the first browser, and the others get it from memory: a third of the bytes, a
tenth of the time.
"""

from __future__ import annotations

import gzip
import mimetypes
from functools import cache
from pathlib import Path

from starlette.types import Receive, Scope, Send
from streamlit import file_util
from streamlit.web.server.starlette.starlette_path_security_middleware import (
    PathSecurityMiddleware,
)
from streamlit.web.server.starlette.starlette_server_config import (
    STATIC_ASSET_CACHE_MAX_AGE_SECONDS,
)

_FOLDER = Path(file_util.get_static_dir())
_PACKED = {".css", ".js", ".svg"}  # fonts and pictures are packed already


@cache
def _files() -> dict[str, Path]:
    """Each file by the path of its address. The names change with what they hold."""
    return {
        f"/{path.relative_to(_FOLDER).as_posix()}": path
        for path in (_FOLDER / "static").rglob("*")
        if path.is_file()
    }


@cache
def _answer(path: str, packed: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body that a browser gets; `packed` if it can unpack them."""
    file = _files()[path]
    body = file.read_bytes()
    headers = {
        "content-type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
        "cache-control": f"public, immutable, max-age={STATIC_ASSET_CACHE_MAX_AGE_SECONDS}",
        "vary": "Accept-Encoding",
    }
    if headers["content-type"].startswith("text/"):
        headers["content-type"] += "; charset=utf-8"
    if packed and file.suffix in _PACKED:
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body)
    headers["content-length"] = str(len(body))
    return [(name.encode(), value.encode()) for name, value in headers.items()], body


def serve_from_memory() -> None:
    """Answers for these files in the outermost of Streamlit's layers; all else goes through them.

    For files served below a `server.baseUrlPath` nothing changes."""
    streamlits = PathSecurityMiddleware.__call__

    async def call(
        self: PathSecurityMiddleware, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in _files():
            await streamlits(self, scope, receive, send)
            return
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"")
        headers, body = _answer(scope["path"], b"gzip" in accepted)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    PathSecurityMiddleware.__call__ = call  # type: ignore[method-assign]
