"""Fashion-MNIST: found on this machine, verified byte for byte, read.

`load_split` takes a split from the first of these folders that holds both of its files:

1. the folder that the environment variable `FASHION_MNIST_DIR` names; where it is set, no other
   folder is looked at;
2. `/usr/share/datasets/fashion-mnist`, where the Debian and Ubuntu package
   `dataset-fashion-mnist` installs;
3. `assets/fashion_mnist`, which holds the test split only;
4. the user's cache, which `python -m core.dataset download` fills.

A damaged file is an error, never a reason to try the next folder. Nothing is downloaded unless
`download` is called: a process that serves a page must not start a transfer of 30 MB.
"""

import argparse
import gzip
import hashlib
import io
import math
import os
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pooch
import requests
from numpy.typing import NDArray

from core.paths import REPOSITORY

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

SplitName = Literal["train", "test"]

Progress = Callable[[str, int, int], None]
"""Called with a file's name, its bytes received so far and in all (0 where unknown)."""

DIR_VARIABLE = "FASHION_MNIST_DIR"
SYSTEM_DIR = Path("/usr/share/datasets/fashion-mnist")
BUNDLED_DIR = REPOSITORY / "assets" / "fashion_mnist"
CACHE_DIR = Path(pooch.os_cache("see-the-filters"))
SUMMARY_NAME = "train_summary.npz"

# The bucket's website endpoint speaks no HTTPS; the SHA-256 of the contents is what we trust.
PUBLISHER_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes on it."""
RETRIES = 2

_DOWNLOAD_COMMAND = "`python -m core.dataset download`"
_CHUNK_SIZE = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_IDX_UNSIGNED_BYTE = 0x08


class DatasetError(Exception):
    """Fashion-MNIST cannot be had; the message is a sentence that names the file and the remedy."""


class _Defect(ValueError):
    """A defect of a file, worded to follow its name (a ValueError, so pooch retries)."""


@dataclass(frozen=True, eq=False)
class Split:
    """The training or the test images with their labels, as read-only arrays.

    Attributes:
        images: uint8 (n, 28, 28), 0 for the background to 255.
        labels: uint8 (n,), indices into `CLASS_NAMES`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TrainSummary:
    """The part of the training split that the app shows without its images; read-only arrays.

    Attributes:
        class_counts: int64 (10,), images of each class.
        class_means: float32 (10, 28, 28), the mean image of each class, on the images' scale
            of 0 to 255.
        examples: uint8 (10, 28, 28), the first training image of each class.
        example_indices: int64 (10,), the indices of `examples` in the training split.
    """

    class_counts: NDArray[np.int64]
    class_means: NDArray[np.float32]
    examples: NDArray[np.uint8]
    example_indices: NDArray[np.int64]


@dataclass(frozen=True)
class _IdxFile:
    """One of the four published files, described by what it holds once decompressed."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        rank = len(self.shape)
        return struct.pack(f">HBB{rank}I", 0, _IDX_UNSIGNED_BYTE, rank, *self.shape)

    @property
    def size(self) -> int:
        return len(self.header) + math.prod(self.shape)

    def find(self, folder: Path) -> Path | None:
        """Return this file's path in `folder`, compressed or plain; None if out of reach."""
        paths = (folder / f"{self.name}.gz", folder / self.name)
        return next((path for path in paths if os.access(path, os.R_OK)), None)


@dataclass(frozen=True)
class _Source:
    """A folder to look in, and what to do about a bad file there (an imperative clause)."""

    folder: Path
    remedy: str


_FILES: dict[SplitName, tuple[_IdxFile, _IdxFile]] = {
    "train": (
        _IdxFile(
            "train-images-idx3-ubyte",
            (60_000, 28, 28),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        _IdxFile(
            "train-labels-idx1-ubyte",
            (60_000,),
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
    ),
    "test": (
        _IdxFile(
            "t10k-images-idx3-ubyte",
            (10_000, 28, 28),
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        _IdxFile(
            "t10k-labels-idx1-ubyte",
            (10_000,),
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}

# Of the file itself: it is not compressed, so the same arrays give the same bytes.
_SUMMARY_SHA256 = "6e630aab0daf227d8a2323e0e9ac2bd093e21d89c46998f5c4951fb10483db3d"


def load_split(name: SplitName) -> Split:
    """Read a split from the first folder that holds it (the module's docstring has the order).

    Args:
        name: "train" for 60,000 images, "test" for 10,000.

    Raises:
        DatasetError: No folder holds the split, or a file of it is damaged.
        ValueError: `name` is neither "train" nor "test".
    """
    if name not in _FILES:
        raise ValueError(f'a split is "train" or "test", not {name!r}')
    images_file, labels_file = _FILES[name]
    for source in _sources():
        images_path = images_file.find(source.folder)
        labels_path = labels_file.find(source.folder)
        if images_path and labels_path:
            return Split(
                _load(images_path, images_file, source.remedy),
                _load(labels_path, labels_file, source.remedy),
            )
    raise DatasetError(_missing(name))


def hold_out(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Part a split in two, at random and alike for each class.

    Args:
        split: What to part.
        share: How much of each class to hold out, above 0 and below 1, rounded to whole images.
        seed: The same seed parts the same images.

    Returns:
        The rest and what is held out, both in the order of `split`, as read-only arrays.
    """
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(split.labels), bool)
    for label in range(len(CLASS_NAMES)):
        members = np.flatnonzero(split.labels == label)
        held_out[rng.permutation(members)[: round(share * len(members))]] = True
    return _part(split, ~held_out), _part(split, held_out)


def train_available() -> bool:
    """Tell whether the training files are on this machine, without reading them."""
    return folder_of("train") is not None


def folder_of(name: SplitName) -> Path | None:
    """The folder that `load_split` takes a split from; None where none holds it."""
    folders = (source.folder for source in _sources())
    return next((each for each in folders if all(file.find(each) for file in _FILES[name])), None)


def load_train_summary() -> TrainSummary:
    """Read what is bundled about the training split.

    Raises:
        DatasetError: The bundled file is missing or damaged.
    """
    path = BUNDLED_DIR / SUMMARY_NAME
    remedy = "restore it from the repository"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({_reason(error)}): {remedy}.") from error
    if hashlib.sha256(content).hexdigest() != _SUMMARY_SHA256:
        raise DatasetError(f"{path} is damaged (its SHA-256 is wrong): {remedy}.")
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)
    for array in arrays.values():
        array.flags.writeable = False
    return TrainSummary(**arrays)


def to_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn images into the network's input.

    Args:
        images: uint8 (n, 28, 28), 0 to 255.

    Returns:
        float32 (n, 28, 28, 1), 0 to 1.

    Raises:
        ValueError: `images` has another type or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"expected uint8 (n, 28, 28), got {images.dtype} {images.shape}")
    return np.divide(images[..., np.newaxis], 255, dtype=np.float32)


def download(
    progress: Progress | None = None,
    *,
    base_url: str = PUBLISHER_URL,
    folder: Path | None = None,
) -> Path:
    """Fetch the four files into the user's cache; good ones there stay, damaged ones go.

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
    for split_files in _FILES.values():
        for file in split_files:
            if not _has_good(folder, file):
                _fetch(file, base_url, folder, progress)
    return folder


def bundle(folder: Path | None = None) -> Path:
    """Write what rides along in `assets/fashion_mnist`: the test split and the train summary.

    Args:
        folder: Where to write instead.

    Returns:
        The folder written to.

    Raises:
        DatasetError: A split is missing or damaged, or the folder cannot be written.
    """
    folder = folder or BUNDLED_DIR
    test, train = load_split("test"), load_split("train")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, array in zip(_FILES["test"], (test.images, test.labels), strict=True):
            content = file.header + array.tobytes()
            # Without a time stamp, the same contents give the same file.
            (folder / f"{file.name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        np.savez(folder / SUMMARY_NAME, **vars(summarise(train)))
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be written ({_reason(error)}): make it writable or free some space."
        ) from error
    return folder


def summarise(train: Split) -> TrainSummary:
    """Compute the summary of a training split in which every class occurs."""
    labels, first, counts = np.unique(train.labels, return_index=True, return_counts=True)
    means = [train.images[train.labels == label].mean(axis=0) for label in labels]
    return TrainSummary(
        class_counts=counts.astype(np.int64),
        class_means=np.stack(means).astype(np.float32),
        examples=train.images[first],
        example_indices=first.astype(np.int64),
    )


def _part(split: Split, chosen: NDArray[np.bool_]) -> Split:
    """Return the images and labels that are chosen."""
    part = Split(split.images[chosen], split.labels[chosen])
    part.images.flags.writeable = part.labels.flags.writeable = False
    return part


def _sources() -> tuple[_Source, ...]:
    if chosen := os.environ.get(DIR_VARIABLE):
        remedy = f"put Fashion-MNIST's original files there, or unset {DIR_VARIABLE}"
        return (_Source(Path(chosen), remedy),)
    return (
        _Source(SYSTEM_DIR, "reinstall the package dataset-fashion-mnist"),
        _Source(BUNDLED_DIR, "restore it from the repository"),
        _Source(CACHE_DIR, f"run {_DOWNLOAD_COMMAND} to replace it"),
    )


def _missing(name: SplitName) -> str:
    """Word the error for a split that no folder holds."""
    files = _FILES[name]
    if os.environ.get(DIR_VARIABLE):
        (source,) = _sources()
        absent = next(file for file in files if not file.find(source.folder))
        path = source.folder / f"{absent.name}.gz"
        return f"{path} is missing or not readable: {source.remedy}."
    names = " and ".join(f"{file.name}.gz" for file in files)
    return (
        f"No folder holds both {names}: run {_DOWNLOAD_COMMAND}, install the package "
        f"dataset-fashion-mnist, or set {DIR_VARIABLE} to a folder that has them."
    )


def _load(path: Path, file: _IdxFile, remedy: str) -> NDArray[np.uint8]:
    try:
        return _read_idx(path, file)
    except _Defect as defect:
        raise DatasetError(f"{path} {defect}: {remedy}.") from defect


def _read_idx(path: Path, file: _IdxFile) -> NDArray[np.uint8]:
    """Read and verify an IDX file, compressed or plain, into a read-only array.

    Raises:
        _Defect: The file cannot be read or is not the published one.
    """
    # One byte more than allowed shows that a file is too long without unpacking the rest.
    content = _read_bytes(path, file.size + 1)
    _check_header(content, file)
    if len(content) != file.size:
        fault = "is cut short" if len(content) < file.size else "has bytes after its last item"
        raise _Defect(f"{fault} ({file.size} bytes expected once decompressed)")
    # Debian compressed the files anew, so only what they contain has a known hash.
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise _Defect("differs from the published file (the SHA-256 of its contents is wrong)")
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
        raise _Defect("is a damaged or cut-off gzip file") from error
    except OSError as error:
        raise _Defect(f"cannot be read ({_reason(error)})") from error


def _check_header(content: bytes, file: _IdxFile) -> None:
    """Raise _Defect unless `content` begins with the IDX header of `file`."""
    if content.startswith(file.header):
        return
    if len(content) < 4:
        raise _Defect("is too short for an IDX file")
    zero, item_type, rank = struct.unpack_from(">HBB", content)
    if zero != 0 or item_type != _IDX_UNSIGNED_BYTE or len(content) < 4 + 4 * rank:
        raise _Defect("is not an IDX file of unsigned bytes")
    shape = struct.unpack_from(f">{rank}I", content, 4)
    raise _Defect(f"has the shape {shape} where {file.shape} belongs")


def _has_good(folder: Path, file: _IdxFile) -> bool:
    path = file.find(folder)
    if path is None:
        return False
    try:
        _read_idx(path, file)
    except _Defect:
        return False
    return True


def _fetch(file: _IdxFile, base_url: str, folder: Path, progress: Progress | None) -> None:
    """Put a verified download of `file` into `folder`, in place of a damaged one."""
    name = f"{file.name}.gz"
    # No hash for pooch: it would be that of the compressed bytes. `_transfer` verifies instead.
    fetcher = pooch.create(folder, base_url, registry={name: None}, retry_if_failed=RETRIES)
    again = f"run {_DOWNLOAD_COMMAND} again"
    try:
        # Pooch leaves a file alone that is there, and the caller found this one damaged.
        (folder / name).unlink(missing_ok=True)
        fetcher.fetch(name, downloader=partial(_transfer, file=file, progress=progress))
    except requests.RequestException as error:
        raise DatasetError(
            f"{fetcher.get_url(name)} could not be downloaded ({_reason(error)}): check the "
            f"connection and {again}, or install the package dataset-fashion-mnist."
        ) from error
    except _Defect as defect:
        raise DatasetError(
            f"{fetcher.get_url(name)} {defect}: {again} later, or install the package "
            "dataset-fashion-mnist."
        ) from defect
    except OSError as error:
        raise DatasetError(
            f"{folder / name} cannot be written ({_reason(error)}): free some space or make the "
            f"folder writable, and {again}."
        ) from error


def _transfer(
    url: str, target: str, _pooch: object, *, file: _IdxFile, progress: Progress | None
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
        for chunk in response.iter_content(_CHUNK_SIZE):
            received += len(chunk)
            if received > file.size:
                raise _Defect("is larger than the published file")
            stream.write(chunk)
            if progress:
                progress(f"{file.name}.gz", received, total)
    _read_idx(Path(target), file)


def _reason(error: OSError) -> str:
    """Say in a few words why an operation failed (requests' errors are OSErrors, too)."""
    if isinstance(error, requests.RequestException) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    return error.strerror or type(error).__name__


def _print_progress(name: str, received: int, total: int) -> None:
    of_total = f" of {total / 1e6:.1f}" if total else ""
    end = "\n" if received == total else ""
    print(f"\r{name}: {received / 1e6:.1f}{of_total} MB", end=end, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m core.dataset", description="Fashion-MNIST.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("download", help="fetch the four files into the user's cache (30 MB)")
    commands.add_parser("bundle", help="write assets/fashion_mnist from the full data set")
    command = parser.parse_args(arguments).command
    try:
        if command == "download":
            folder = download(_print_progress if sys.stderr.isatty() else None)
        else:
            folder = bundle()
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0
