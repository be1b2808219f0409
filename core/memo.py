"""Keep results for all sessions of the process.

Plain `lru_cache` behind a lock, not `st.cache_resource`: hashing the arguments of that costs 0.3 ms
per call, which is more than a whole forward pass, and a page needs several calls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from threading import RLock
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

MOST_KEPT = 400  # of 100 kB at most, most of them 10 kB
MOST_FOUND = 128  # of 20 kB at most


def shared(entries: int) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Keep the latest `entries` results. When a class joins at once, one thread computes and the
    others wait for its result."""

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        cached = lru_cache(entries)(function)
        lock = RLock()

        @wraps(function)
        def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            with lock:
                return cached(*args, **kwargs)  # type: ignore[arg-type]

        return call

    return decorate


_kept: OrderedDict[Hashable, bytes] = OrderedDict()


def kept(make: Callable[[], str], *key: Hashable) -> str:
    """A piece of a page that many students look at, made once.

    Args:
        make: makes it.
        key: what it is, and all that it depends on: a name, the model's key, an image's number.
    """
    # As bytes, for a single "×" among them makes a character of a text take two bytes or four.
    return _latest(_kept, MOST_KEPT, lambda: make().encode(), key).decode()


_found: OrderedDict[Hashable, Any] = OrderedDict()


def once(make: Callable[[], Result], *key: Hashable) -> Result:
    """The same for what is no text: a chart's specification, or a count over all test images.
    Whoever gets it leaves it as it is."""
    result: Result = _latest(_found, MOST_FOUND, make, key)
    return result


def _latest(
    store: OrderedDict[Hashable, Result], most: int, make: Callable[[], Result], key: Hashable
) -> Result:
    # One step each, which no other thread comes between; two that make the same make it alike.
    result = store.pop(key, None)
    if result is None:
        result = make()
    store[key] = result
    while len(store) > most:
        store.popitem(last=False)
    return result
