"""Report the progress of a model's insights in a file that other processes read.

The command that computes them writes `.measuring` into the model folder; the app shows its number.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.models.reading import read_bytes, stamp_of

MEASURING_PREFIX = ".measuring"
"""Prefix of the files that exist only while a model's insights are computed."""
MEASURING_TIMEOUT_S = 60.0
"""A computation that has not reported for longer was killed."""
MIN_REPORT_INTERVAL_S = 1.0
_MAX_REPORT_BYTES = 100


@contextlib.contextmanager
def reported_share(folder: Path) -> Iterator[Callable[[float], None]]:
    """Yield a function that reports which share is computed, 0 to 1; remove the report at the end.

    It writes at most once per `MIN_REPORT_INTERVAL_S`.

    Raises:
        OSError: The folder cannot be written to.
    """
    path = folder / MEASURING_PREFIX
    written = -math.inf

    def report(share: float) -> None:
        nonlocal written
        if time.monotonic() - written >= MIN_REPORT_INTERVAL_S:
            path.write_text(f"{share:.2f}")
            written = time.monotonic()

    try:
        report(0)
        yield report
    finally:
        path.unlink(missing_ok=True)


def share_measured(folder: Path) -> float | None:
    """Return which share of the insights a running command has computed, 0 to 1.

    Returns:
        None if no command is computing them.
    """
    path = folder / MEASURING_PREFIX
    stamp = stamp_of(path)
    if stamp is None or time.time() - stamp[0] / 1e9 > MEASURING_TIMEOUT_S:
        return None
    content, _ = read_bytes(path, _MAX_REPORT_BYTES)
    try:
        share = float(content) if isinstance(content, bytes) else 0.0
    except ValueError:  # it is being written
        return 0.0
    return share if 0 <= share <= 1 else 0.0
