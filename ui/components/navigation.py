"""Links that do not load the document again, and a URL without superfluous parameters.

A browser component without a picture; every page has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from ui.components.data import as_json

_navigation = st.components.v2.component(
    "navigation", js=Path(__file__).with_suffix(".js").read_text()
)


def navigation(superfluous: Mapping[str, tuple[str, str]]) -> None:
    """Start the component.

    Args:
        superfluous: Values of the URL to replace, by parameter: the value, and its replacement.
    """
    _navigation(data=as_json(superfluous=superfluous), key="navigation")
