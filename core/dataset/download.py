"""Download the four published files into the user's cache."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pooch
import requests

from core.dataset.errors import DatasetError, reason
from core.dataset.idx import IdxError, IdxFile, read_idx
from core.dataset.published_files import FILES
from core.dataset.sources import CACHE_DIR, DOWNLOAD_COMMAND

# The bucket's website endpoint has no HTTPS; the SHA-256 of the contents is what we trust.
PUBLISHER_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes on it."""
RETRIES = 2
CHUNK_BYTES = 1 << 16

Progress = Callable[[str, int, int], None]
"""Called with a file's name, its bytes received so far and in all (0 where unknown)."""


def download(
    progress: Progress | None = None,
    *,
    base_url: str = PUBLISHER_URL,
    folder: Path | None = None,
) -> Path:
    """Download the files that the folder lacks, and replace damaged ones; good ones stay.

    A file takes its place only once its contents are verified.

    Args:
        progress: Called as the bytes of each file arrive.
        base_url: Where the four `.gz` files lie.
        folder: Where to put them instead of the cache.

    Returns:
        The folder that now holds all four.

    Raises:
        DatasetError: A file cannot be fetched, is not what was published, or cannot be stored.
    """
    folder = folder or CACHE_DIR
    for split_files in FILES.values():
        for file in split_files:
            if not _has_good(folder, file):
                _fetch(file, base_url, folder, progress)
    return folder


def _has_good(folder: Path, file: IdxFile) -> bool:
    path = file.find(folder)
    if path is None:
        return False
    try:
        read_idx(path, file)
    except IdxError:
        return False
    return True


def _fetch(file: IdxFile, base_url: str, folder: Path, progress: Progress | None) -> None:
    """Put a verified download of `file` into `folder`, in place of a damaged one."""
    name = f"{file.name}.gz"
    # No hash for pooch: it would be that of the compressed bytes. `_transfer` verifies instead.
    fetcher = pooch.create(folder, base_url, registry={name: None}, retry_if_failed=RETRIES)
    again = f"run {DOWNLOAD_COMMAND} again"
    try:
        # Pooch does not replace an existing file, and this one is damaged.
        (folder / name).unlink(missing_ok=True)
        fetcher.fetch(name, downloader=partial(_transfer, file=file, progress=progress))
    except requests.RequestException as error:
        raise DatasetError(
            f"{fetcher.get_url(name)} could not be downloaded ({_http_reason(error)}): check the "
            f"connection and {again}, or install the package dataset-fashion-mnist."
        ) from error
    except IdxError as defect:
        raise DatasetError(
            f"{fetcher.get_url(name)} {defect}: {again} later, or install the package "
            "dataset-fashion-mnist."
        ) from defect
    except OSError as error:
        raise DatasetError(
            f"{folder / name} cannot be written ({reason(error)}): free some space or make the "
            f"folder writable, and {again}."
        ) from error


def _transfer(
    url: str, target: str, _pooch: object, *, file: IdxFile, progress: Progress | None
) -> None:
    """Download `url` to pooch's temporary file `target` and verify it (a pooch downloader)."""
    received = 0
    with (
        requests.get(url, stream=True, timeout=TIMEOUT) as response,
        Path(target).open("wb") as stream,
    ):
        response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else 0
        for chunk in response.iter_content(CHUNK_BYTES):
            received += len(chunk)
            if received > file.size:
                raise IdxError("is larger than the published file")
            stream.write(chunk)
            if progress:
                progress(f"{file.name}.gz", received, total)
    read_idx(Path(target), file)


def _http_reason(error: requests.RequestException) -> str:
    """Return in a few words why a request failed."""
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    return reason(error)
