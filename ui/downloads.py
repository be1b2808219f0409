"""The button under a figure that offers it as files."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

File = tuple[str, str, Callable[[], bytes]]
"""What the button says, the file's name, and what makes its contents when it is clicked."""


def downloads(*files: File, key: str = "download") -> None:
    """A closed menu of files: it costs a move nothing until it is opened."""
    menu = st.popover("Download", icon=":material/download:", key=key, on_change="rerun")
    if menu.open:
        with menu:
            for label, name, make in files:
                st.download_button(label, make, name, on_click="ignore", width="stretch")
