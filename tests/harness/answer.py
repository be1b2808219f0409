"""What a server answers to one request, exactly as it came."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit


class Answer:
    def __init__(self, url: str, path: str, method: str = "GET", **headers: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        connection.close()
