"""Paths as people read them, and as a shell takes them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def readable(text: str) -> str:
    r"""Return a name from the file system as printable text.

    Bytes that are not valid UTF-8, which Python keeps as lone surrogates, and control characters
    become escapes such as `\xe9`, so that the text can be encoded and stays on one line.
    """
    return "".join(
        character if character.isprintable() else _escaped(character) for character in text
    )


def shown(path: Path) -> str:
    """Return a path as printable text, relative to the repository if it is inside it."""
    return readable(str(_brief(path)))


def shell_word(path: Path) -> str:
    r"""Return a path, as `shown`, quoted for a POSIX shell.

    A name that is not printable text is written as `$'caf\xe9'` (bash, zsh, ksh), any other as
    `shlex.quote` does.
    """
    text = str(_brief(path))
    if readable(text) == text:
        return shlex.quote(text)
    safe = {byte: chr(byte) for byte in range(32, 127) if chr(byte) not in "'\\"}
    return "$'" + "".join(safe.get(byte, f"\\x{byte:02x}") for byte in os.fsencode(text)) + "'"


def _brief(path: Path) -> Path:
    """Return the path relative to the repository, where the `python -m` commands are run."""
    path = path.absolute()
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not valid UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
