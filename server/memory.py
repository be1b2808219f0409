"""Limit the memory that the process keeps when it needs it no more."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE = 256 * 2**10  # bytes
_ARENAS = 1
# What a heap may keep for the next page: with less, each page would ask the system for it again.
_KEPT = 8 * 2**20


def set_up() -> None:
    """Let large arrays' memory go back to the system as soon as they are gone.

    Every session's script runs in a thread of its own, glibc has several heaps that threads share
    out among them, and by default each of these keeps tens of megabytes once a large array was in
    it. Elsewhere than with glibc this does nothing.
    """
    _call("mallopt", _M_ARENA_MAX, _ARENAS)
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGE)
    _call("mallopt", _M_TRIM_THRESHOLD, _KEPT)


def give_back() -> None:
    """Give back what is free between what is used; takes about 10 ms."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    if sys.platform != "linux":
        return
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
