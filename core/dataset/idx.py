"""The IDX file format, in which Fashion-MNIST is published: read a file and verify its contents.

Layout: two zero bytes, the item type (0x08: unsigned byte), the number of dimensions, each
dimension as a big-endian uint32, then the items in row-major order. Files may be compressed (gzip).

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.dataset.errors import reason

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


class IdxError(ValueError):
    """A defect of a file, worded to follow its name (a ValueError, so pooch retries)."""


@dataclass(frozen=True)
class IdxFile:
    """A published file of unsigned bytes, described by its decompressed contents.

    Attributes:
        name: File name without `.gz`.
        shape: Dimensions that its header declares.
        sha256: SHA-256 of the decompressed contents, in hexadecimal.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        """The bytes before the first item."""
        rank = len(self.shape)
        return struct.pack(f">HBB{rank}I", 0, _UNSIGNED_BYTE, rank, *self.shape)

    @property
    def size(self) -> int:
        """Bytes of the header and all items."""
        return len(self.header) + math.prod(self.shape)

    def find(self, folder: Path) -> Path | None:
        """Return this file's path in `folder`, compressed or plain; None if it is not readable."""
        paths = (folder / f"{self.name}.gz", folder / self.name)
        return next((path for path in paths if os.access(path, os.R_OK)), None)


def read_idx(path: Path, file: IdxFile) -> NDArray[np.uint8]:
    """Read and verify a file, compressed or plain.

    Returns:
        uint8 array of `file.shape`, read-only.

    Raises:
        IdxError: The file cannot be read or is not the published one.
    """
    # One byte more than allowed shows that a file is too long without unpacking the rest.
    content = _read_bytes(path, file.size + 1)
    _check_header(content, file)
    if len(content) != file.size:
        fault = "is cut short" if len(content) < file.size else "has bytes after its last item"
        raise IdxError(f"{fault} ({file.size} bytes expected once decompressed)")
    # Debian compressed the files anew, so only their decompressed contents have a known hash.
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise IdxError("differs from the published file (the SHA-256 of its contents is wrong)")
    return np.frombuffer(content, np.uint8, offset=len(file.header)).reshape(file.shape)


def _read_bytes(path: Path, limit: int) -> bytes:
    """Return at most `limit` bytes of a file's contents, decompressed if they are gzip."""
    try:
        with path.open("rb") as stream:
            compressed = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            stream.seek(0)
            if not compressed:
                return stream.read(limit)
            with gzip.GzipFile(fileobj=stream) as unpacked:
                return unpacked.read(limit)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise IdxError("is a damaged or cut-off gzip file") from error
    except OSError as error:
        raise IdxError(f"cannot be read ({reason(error)})") from error


def _check_header(content: bytes, file: IdxFile) -> None:
    """Raise IdxError unless `content` begins with the header of `file`."""
    if content.startswith(file.header):
        return
    if len(content) < 4:
        raise IdxError("is too short for an IDX file")
    zero, item_type, rank = struct.unpack_from(">HBB", content)
    if zero != 0 or item_type != _UNSIGNED_BYTE or len(content) < 4 + 4 * rank:
        raise IdxError("is not an IDX file of unsigned bytes")
    shape = struct.unpack_from(f">{rank}I", content, 4)
    raise IdxError(f"has the shape {shape} where {file.shape} belongs")
