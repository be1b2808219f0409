"""Paths as people read them; `test_model_folder.py` gives the quoted ones to a shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.paths import REPOSITORY, readable, shell_word, shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain name", "plain name"),
        ("é 🙂".encode(), "é 🙂"),
        (b"caf\xe9", r"caf\xe9"),
        (b"two\nlines", r"two\nlines"),
        ("\u202egnp".encode(), r"\u202egnp"),
    ],
)
def test_names_become_printable_text_on_one_line(name: bytes, text: str) -> None:
    assert readable(os.fsdecode(name)) == text
    assert text.isprintable()


def test_lone_surrogates_of_no_file_name_are_escaped() -> None:
    assert readable("\ud800") == r"\ud800"


def test_paths_in_the_repository_are_relative_to_it() -> None:
    assert shown(REPOSITORY / "assets" / "a b") == "assets/a b"
    assert shell_word(REPOSITORY / "assets" / "a b") == "'assets/a b'"
    assert shown(Path("/elsewhere")) == "/elsewhere"
