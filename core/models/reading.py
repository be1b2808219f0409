"""Read a file of unknown origin: never more than a limit, never a pipe, and with its stamp."""

import os
import stat
from pathlib import Path

Stamp = tuple[int, int, int]
"""Modification time (ns), size (bytes) and inode of a file: they change with its contents."""


def stamp_of(path: Path) -> Stamp | None:
    """Return a file's stamp; None if it is missing or cannot be examined."""
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def read_bytes(path: Path, max_bytes: int) -> tuple[bytes | str | None, Stamp | None]:
    """Read a whole file.

    Args:
        path: The file.
        max_bytes: Size above which the file is refused.

    Returns:
        Its bytes, or a few words on why it cannot be read, or None if it is missing; and the stamp
        of the file that was read.
    """
    stamp = None
    try:
        status = path.stat()
        stamp = _stamp(status)
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for a writer
            return "it is not a file", stamp
        with path.open("rb") as stream:
            # The file may have been replaced since.
            stamp = _stamp(os.fstat(stream.fileno()))
            content = stream.read(max_bytes + 1) if stamp[1] <= max_bytes else b""
    except (FileNotFoundError, NotADirectoryError):
        return ("it is a link to nothing" if path.is_symlink() else None), None
    except OSError as error:
        return error.strerror or str(error), stamp
    if max(stamp[1], len(content)) > max_bytes:
        return f"it is larger than {max_bytes:,} bytes", stamp
    return content, stamp


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino
