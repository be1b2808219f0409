"""How the process keeps memory that it may need again."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE = 2 * 2**20  # bytes
_ARENAS = 2
# What a heap may keep for the next page: with less, each page would ask the system for it again.
_KEPT = 16 * 2**20  # bytes


def give_back() -> None:
    """Give large arrays' memory back to the system as soon as they are gone.

    Every session's script runs in a thread of its own, glibc has several heaps that threads share
    out among them, and by default each of these keeps tens of megabytes once a large array was in
    it. Elsewhere than with glibc this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
