"""Data that a component gets."""

from __future__ import annotations

import json


def as_json(**data: object) -> bytes:
    """A component's data, which its JavaScript reads with `JSON.parse`: bytes Streamlit 1.67 does
    not ask whether they are a table, which takes almost as long as the rest of a component."""
    return json.dumps(data, separators=(",", ":")).encode()
