"""A model folder is published whole, and nothing that came into its place meanwhile is lost."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from core.models.model_folder import ModelFolder
from core.models.staging import OutputError, StagedFolder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "models" / "new"


def write(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_text(content)


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def train(output: Path, content: str, replace: bool = False) -> StagedFolder:
    """What a training does with a staged folder."""
    with StagedFolder(output, replace) as staged:
        write(staged.path, model_keras=content)
        staged.publish()
    return staged


def test_a_folder_appears_whole(output: Path) -> None:
    with StagedFolder(output, replace=False) as staged:
        write(staged.path, model_keras="model", card_md="card")
        assert not output.exists()
        assert staged.publish() == ModelFolder(output)
    assert files(output) == {"model.keras": "model", "card.md": "card"}
    assert names(output.parent) == ["new"]
    assert (staged.published, staged.remark) == (output, "")


def test_what_was_not_published_is_removed(output: Path) -> None:
    with StagedFolder(output, replace=False) as staged:
        write(staged.path, model_keras="half")
        assert len(names(output.parent)) == 1
    assert names(output.parent) == []


def test_a_folder_is_replaced(output: Path) -> None:
    write(output, model_keras="old", insights_npz="old")
    assert train(output, "new", replace=True).remark == ""
    assert files(output) == {"model.keras": "new"}
    assert names(output.parent) == ["new"]


def test_an_existing_folder_is_refused_without_replace(output: Path) -> None:
    write(output, model_keras="old")
    with pytest.raises(OutputError, match="exists: add --replace"):
        train(output, "new")


def test_a_file_that_was_added_during_the_training_is_kept(output: Path) -> None:
    write(output, model_keras="old")
    with StagedFolder(output, replace=True) as staged:
        write(staged.path, model_keras="new")
        write(output, notes_txt="my notes")
        staged.publish()
    assert files(output) == {"model.keras": "old", "notes.txt": "my notes"}
    second = output.with_name("new-2")
    assert files(second) == {"model.keras": "new"}
    assert staged.published == second
    assert staged.remark == (
        f"{output} was written by something else meanwhile, so the new model is in {second}."
    )


def test_a_folder_that_cannot_be_replaced_stays_and_the_reason_is_told(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(output, model_keras="old")
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == output:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    staged = train(output, "new", replace=True)
    second = output.with_name("new-2")
    assert files(output) == {"model.keras": "old"}
    assert files(second) == {"model.keras": "new"}
    assert staged.remark == (
        f"{output} could not be replaced (Operation not permitted), so the new model is in "
        f"{second}."
    )


@pytest.mark.parametrize("name", ["model_keras", "card_md"])
def test_a_model_that_was_changed_during_the_training_is_kept(output: Path, name: str) -> None:
    write(output, model_keras="old")
    with StagedFolder(output, replace=True) as staged:
        write(staged.path, model_keras="new")
        write(output, **{name: "changed by hand"})
        staged.publish()
    assert "changed by hand" in files(output).values()
    assert files(output.with_name("new-2")) == {"model.keras": "new"}


def test_two_trainings_into_one_new_folder_both_keep_their_model(output: Path) -> None:
    with StagedFolder(output, replace=False) as slow:
        write(slow.path, model_keras="slow")
        train(output, "quick")
        slow.publish()
    assert files(output) == {"model.keras": "quick"}
    assert files(output.with_name("new-2")) == {"model.keras": "slow"}


def test_a_third_training_finds_a_free_name(output: Path) -> None:
    with StagedFolder(output, replace=False) as staged:
        write(staged.path, model_keras="third")
        train(output, "first")
        train(output.with_name("new-2"), "second")
        staged.publish()
    assert files(output.with_name("new-3")) == {"model.keras": "third"}


def test_a_folder_that_went_away_meanwhile_is_written_anew(output: Path) -> None:
    write(output, model_keras="old")
    with StagedFolder(output, replace=True) as staged:
        write(staged.path, model_keras="new")
        output.rename(output.with_name("elsewhere"))
        staged.publish()
    assert files(output) == {"model.keras": "new"}
    assert files(output.with_name("elsewhere")) == {"model.keras": "old"}


def test_what_a_killed_measurement_left_does_not_stop_a_replacement(output: Path) -> None:
    write(output, model_keras="old")
    (output / ".measuring").write_text("0.5")
    (output / ".measuring-0123.npz").write_text("half")
    train(output, "new", replace=True)
    assert files(output) == {"model.keras": "new"}
    assert names(output.parent) == ["new"]


def fail_at_rename(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let one of the renames fail, counted from 0."""
    rename, calls = Path.rename, []

    def fail(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == number + 1:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)


def test_a_model_that_cannot_be_moved_away_stays_and_the_new_one_is_kept(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(output, model_keras="old")
    fail_at_rename(monkeypatch, 0)
    staged = train(output, "new", replace=True)
    assert files(output) == {"model.keras": "old"}
    assert files(output.with_name("new-2")) == {"model.keras": "new"}
    assert "so the new model is in" in staged.remark


def test_a_rename_that_fails_leaves_everything_as_it_was(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(output, model_keras="old")
    fail_at_rename(monkeypatch, 1)
    with pytest.raises(PermissionError):
        train(output, "new", replace=True)
    assert files(output) == {"model.keras": "old"}
    assert names(output.parent) == ["new"]


def test_a_signal_while_the_hidden_folder_is_made_leaves_none(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Path.mkdir

    def interrupted(path: Path, *args: Any, **kwargs: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        make(path, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    staged = StagedFolder(output, replace=False)
    try:
        with pytest.raises(KeyboardInterrupt):
            staged.__enter__()
    finally:
        signal.signal(signal.SIGINT, before)
    assert names(output.parent) == []


def test_an_earlier_model_that_cannot_be_removed_is_named(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(output, model_keras="old")

    def fail(_path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "rmdir", fail)
    staged = train(output, "new", replace=True)
    assert files(output) == {"model.keras": "new"}
    assert staged.remark.startswith("The earlier model could not be removed (Permission denied): ")


@pytest.mark.parametrize("moment", ["rename", "unlink", "rmdir"])
def test_a_signal_waits_until_the_folder_is_in_its_place(
    output: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    write(output, model_keras="old")
    act = getattr(Path, moment)

    def interrupted(path: Path, *args: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return act(path, *args)

    monkeypatch.setattr(Path, moment, interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    staged = StagedFolder(output, replace=True)
    try:
        with staged:
            write(staged.path, model_keras="new")
            with pytest.raises(KeyboardInterrupt):
                staged.publish()
    finally:
        signal.signal(signal.SIGINT, before)
    assert staged.published == output
    assert files(output) == {"model.keras": "new"}
    assert names(output.parent) == ["new"]
