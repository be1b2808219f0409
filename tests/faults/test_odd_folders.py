"""Whatever a model folder is called and holds, each page shows it or refuses it in one sentence.

`HYPOTHESIS_PROFILE=deep pytest -n 0 tests/faults/test_odd_folders.py` draws 600 folders.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models import model_folder
from core.models.model_files import FILES, NETWORK_FILE
from core.models.model_folder import MODELS_DIR
from tests.faults.test_damage import VIEWS, everything_said, flip, open_view, truncate
from tests.pages.conftest import Open

FOLDERS = 600 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 25
NOBODY = 65534

NAMES = st.one_of(
    st.sampled_from(
        (
            *("fast", "tuned", "-n", "--help", "a b", "$HOME", "`id`", "a'b", 'a"b', "~", "con"),
            *("![p](http://127.0.0.1/x.png)", "<script>alert(1)</script>", "$x^2$", ":red[x]"),
            *("%2e%2e", "a&b=c", "#", "?", "\u202egnp", "é", "e\u0301", "🙂", "\n", "\t", "\x7f"),
        )
    ).map(os.fsencode),
    st.binary(min_size=1, max_size=40),
    st.text(min_size=1, max_size=20).map(lambda text: text.encode(errors="replace")),
).filter(lambda name: b"/" not in name and b"\0" not in name and name[:1] != b".")


def swap(path: Path) -> None:
    """Put the other shipped model's file there."""
    shutil.copy(MODELS_DIR / "tuned" / path.name, path)


def link_to(target: str) -> Callable[[Path], None]:
    """Replace a file by a link."""

    def replace(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return replace


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_huge(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(2**40)


def other_arrays(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, weights=np.full((3, 3), np.nan, np.float32))


def append(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"\xff\x00 more")


CHANGES: dict[str, Callable[[Path], None]] = {
    "as it was": lambda _path: None,
    "missing": Path.unlink,
    "swapped": swap,
    "truncated": truncate,
    "one bit flipped": flip,
    "longer": append,
    "empty": lambda path: path.write_bytes(b"") and None,
    "text": lambda path: path.write_text("epoch,seconds\n1,nan\n") and None,
    "other arrays": other_arrays,
    "huge": make_huge,
    "a folder": make_folder,
    "a FIFO": make_fifo,
    "a link to nothing": link_to("nowhere"),
    "a link to itself": link_to("."),
    "a link to a device": link_to("/dev/zero"),
    "a link to memory": link_to("/proc/self/mem"),
    "not readable": lambda path: path.chmod(0),
}
# A network that opens, in more than half of the folders, lets the pages come to the other files.
MOSTLY_SOUND = st.one_of(*[st.just("as it was")] * 3, st.sampled_from(sorted(CHANGES)))
FILE_CHANGES = st.fixed_dictionaries(
    {
        name: MOSTLY_SOUND if name == NETWORK_FILE else st.sampled_from(sorted(CHANGES))
        for name in FILES
    }
)
FOLDER_MODES = st.sampled_from((*[0o755] * 7, 0o444, 0o311, 0o000))


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run as a user whom permissions stop, if this is root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def models(open_page: Open) -> Iterator[Path]:
    """Where the app looks for its models; everybody may read it."""
    for view in VIEWS:  # imports what it needs, which only root may be able to read
        open_view(open_page, view)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        directory = Path(folder)
        directory.chmod(0o755)
        find = model_folder.find
        patch.setattr(model_folder, "find", lambda: find(directory))
        yield directory


@settings(
    max_examples=FOLDERS,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=NAMES,
    changes=FILE_CHANGES,
    mode=FOLDER_MODES,
    views=st.lists(st.sampled_from(VIEWS), min_size=1, max_size=2, unique=True),
)
def test_an_odd_folder_is_shown_or_refused_in_one_sentence(
    open_page: Open,
    models: Path,
    name: bytes,
    changes: dict[str, str],
    mode: int,
    views: list[str],
) -> None:
    folder = models / os.fsdecode(name)
    shutil.copytree(MODELS_DIR / "tutorial", folder)
    try:
        for file, change in changes.items():
            CHANGES[change](folder / file)
        folder.chmod(mode)
        with without_privileges():
            for view in views:
                app = open_view(open_page, view)
                assert not app.exception, [error.message for error in app.exception]
                assert len(app.error) <= 1
                said = everything_said(app)
                said.encode()  # lone surrogates could not be sent to a browser
                assert "Traceback" not in said
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
