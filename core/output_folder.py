"""A model folder is written whole or not at all, and takes an earlier one's place only then."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.model_folder import FILES


class OutputError(Exception):
    """A folder cannot be written there; the message is one sentence that says what to do."""


def check_output(output: Path, replace: bool) -> None:
    """Refuse a place where a model folder cannot be written without harm to something else.

    Raises:
        OutputError: Something is there, and it must not or cannot be replaced.
    """
    if not output.exists():
        return
    if not replace:
        raise OutputError(f"{output} exists: add --replace, or choose another folder (--output).")
    if not output.is_dir():
        raise OutputError(f"{output} is not a folder: choose another place (--output).")
    for path in output.iterdir():
        if path.name not in FILES:
            raise OutputError(
                f"{output} is not replaced, because {path.name} in it is no part of a model folder:"
                " move that file away, or choose another folder (--output)."
            )


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """Yield a hidden empty folder beside `output`, which takes its place if all goes well."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}-{secrets.token_hex(4)}")
    try:
        unfinished.mkdir()
        yield unfinished
        _move_into_place(unfinished, output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move_into_place(unfinished: Path, output: Path) -> None:
    """Rename `unfinished` to `output`; what is there goes only once that has succeeded."""
    earlier = unfinished.with_name(f"{unfinished.name}-earlier")
    try:
        if output.exists():
            output.rename(earlier)
        unfinished.rename(output)
    except BaseException:
        if earlier.exists() and not output.exists():
            earlier.rename(output)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
