"""Prepare a process to serve a class."""

from __future__ import annotations

from server import memory, streamlit_patches


def prepare_process() -> None:
    """Set up the memory allocator and replace parts of Streamlit; more than once does no harm."""
    memory.set_up()
    streamlit_patches.install()
