"""Write a model folder whole or not at all; keep everything that came into its place meanwhile."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from core.command_line.interrupts import deferred_signals
from core.models.measuring import MEASURING_PREFIX
from core.models.model_files import FILES
from core.models.model_folder import ModelFolder
from core.models.reading import Stamp
from core.paths import shown

EARLIER_SUFFIX = "-earlier"
_HIDDEN = re.compile(rf"\..+-[0-9a-f]{{8}}({EARLIER_SUFFIX})?", re.DOTALL)


class OutputError(Exception):
    """A folder cannot be written there; the message is one sentence that says what to do."""


class StagedFolder:
    """A hidden folder beside a model folder's place, moved there once it is whole.

    A context manager: what was not published is removed when the block ends, also by a signal.

    Attributes:
        path: The hidden folder, to write into.
        published: Where the folder is now; None before `publish`.
        remark: After `publish`, a sentence for the person who waits if something is not as asked
            for; "" otherwise.
    """

    def __init__(self, output: Path, replace: bool) -> None:
        """Check the place; nothing is written yet.

        Args:
            output: Where the folder goes.
            replace: Whether a model folder that is there now is replaced.

        Raises:
            OutputError: Something is there, and it must not or cannot be replaced.
        """
        output = output.resolve()
        _check(output, replace)
        self._output = output
        # What may be removed: nothing that comes later.
        self._replaced = _contents(output) if output.exists() else None
        self.path = output.with_name(f".{output.name}-{secrets.token_hex(4)}")
        self.published: Path | None = None
        self.remark = ""

    @property
    def place(self) -> Path:
        """Where the folder is now, or will be."""
        return self.published or self._output

    def __enter__(self) -> Self:
        """Create the hidden folder.

        Raises:
            OSError: It cannot be created.
        """
        try:
            with deferred_signals():
                self._output.parent.mkdir(parents=True, exist_ok=True)
                self.path.mkdir()
        except BaseException:  # a signal that arrived meanwhile: `__exit__` is not called
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the hidden folder if it was not published."""
        with deferred_signals():
            if self.published is None:
                shutil.rmtree(self.path, ignore_errors=True)

    def publish(self) -> ModelFolder:
        """Move the folder to its place, or beside it if that was taken or changed meanwhile.

        Signals wait until it is done.

        Raises:
            OSError: It cannot be moved; everything is as it was.
        """
        reason = "was written by something else meanwhile"
        with deferred_signals():
            try:
                earlier = self._move_earlier_away()
            except OSError as error:  # a finished training is not thrown away for that
                earlier = None
                reason = f"could not be replaced ({error.strerror or error})"
            try:
                self.published = self._move()
            except OSError:
                if earlier is not None:
                    earlier.rename(self._output)
                raise
            if self.published != self._output:
                self.remark = (
                    f"{shown(self._output)} {reason}, so the new model is in "
                    f"{shown(self.published)}."
                )
            if earlier is not None:
                self._remove(earlier)
        return ModelFolder(self.published)

    def _move_earlier_away(self) -> Path | None:
        """Rename the folder to replace.

        Returns:
            Its new path; None if there is nothing to replace, or if it has changed meanwhile.

        Raises:
            OSError: It cannot be renamed.
        """
        if self._replaced is None:
            return None
        earlier = self.path.with_name(self.path.name + EARLIER_SUFFIX)
        try:
            self._output.rename(earlier)
        except FileNotFoundError:
            return None
        if _contents(earlier) == self._replaced:
            return earlier
        earlier.rename(self._output)
        return None

    def _move(self) -> Path:
        """Rename the hidden folder to the first free one of NAME, NAME-2, NAME-3, …"""
        for number in itertools.count(1):
            target = self._output
            if number > 1:
                target = target.with_name(f"{target.name}-{number}")
            if os.path.lexists(target):
                continue
            try:
                self.path.rename(target)
            except OSError:
                # Another process may have been quicker; a folder with files is never overwritten.
                if not os.path.lexists(target):
                    raise
            else:
                return target
        raise AssertionError("numbers do not end")

    def _remove(self, earlier: Path) -> None:
        """Remove the replaced folder, file by file: what else came into it meanwhile stays."""
        try:
            for path in earlier.iterdir():
                if _is_ours(path.name):
                    path.unlink()
            earlier.rmdir()
        except OSError as error:
            reason = error.strerror or error
            self.remark = f"The earlier model could not be removed ({reason}): {shown(earlier)}."


def leftovers(models_dir: Path) -> list[Path]:
    """Return the hidden folders of trainings in a directory: that run, or that were killed."""
    if not models_dir.is_dir():
        return []
    paths = (path for path in models_dir.iterdir() if _HIDDEN.fullmatch(path.name))
    return sorted(path for path in paths if path.is_dir())


def _check(output: Path, replace: bool) -> None:
    """Refuse a place where a model folder cannot be written without harm to something else."""
    if not os.path.lexists(output):
        return
    place = shown(output)
    if not replace:
        raise OutputError(f"{place} exists: add --replace, or choose another folder (--output).")
    if not output.is_dir():
        raise OutputError(f"{place} is not a folder: choose another place (--output).")
    for path in output.iterdir():
        if not _is_ours(path.name):
            raise OutputError(
                f"{place} is not replaced, because {shown(path)} in it is no part of a model "
                "folder: move that file away, or choose another folder (--output)."
            )


def _is_ours(name: str) -> bool:
    return name in FILES or name.startswith(MEASURING_PREFIX)


def _contents(folder: Path) -> tuple[set[str], tuple[Stamp | None, ...]]:
    """Return what tells whether a folder has changed: its names, and a stamp of each model file."""
    names = {path.name for path in folder.iterdir()}
    names = {name for name in names if not name.startswith(MEASURING_PREFIX)}
    return names, ModelFolder(folder).stamps()
