"""Links that do not load the document again, and a URL without superfluous parameters.

A browser component without a picture; every page has it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from ui.components.data import as_json
from ui.state import PARAMETERS

_DEFAULTS = {name: parameter.default for name, parameter in PARAMETERS.items()}
_navigation = st.components.v2.component(
    "navigation",
    js=f"const DEFAULTS = {json.dumps(_DEFAULTS)};\n"
    + Path(__file__).with_suffix(".js").read_text(),
)


def navigation(
    page: str,
    superfluous: Mapping[str, tuple[str | None, str]],
    defaults: Mapping[str, str],
) -> None:
    """Start the component.

    Args:
        page: Address of the page that is drawn, below the app's own.
        superfluous: Values of the URL to replace, by parameter: the value, None for whatever it
            is, and its replacement.
        defaults: Defaults that depend on the model, by parameter.
    """
    # The browser calls a component only with other data, and the same value may come again.
    number = time.monotonic_ns() if superfluous else 0
    data = as_json(page=page, superfluous=superfluous, defaults=defaults, number=number)
    _navigation(data=data, key="navigation")
