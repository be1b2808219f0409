"""Each file that the app reads is damaged in turn: the pages that need it say so in one sentence,
and all else works.

What `tests/core` says of each reader's own errors is not repeated, nor are a folder without any
models, a model of other than its files' names, and the training images, which are in `tests/pages`.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import cache, dataset, memo
from core.dataset import sources
from core.models import attempts, model_folder
from tests.pages.conftest import PAGES, Open, assert_sound, text

TUTORIAL = model_folder.MODELS_DIR / "tutorial"
# The pages that need a file, and of a page that shows one panel or part at a time, which.
NEEDED_BY = {
    "history.csv": {"model_training", "model_training epochs", "filter_explorer epochs"},
    "checkpoints.npz": {"model_training epochs", "filter_explorer epochs"},
    "insights.npz": {
        *("model_training", "model_training mistakes", "filter_explorer top images"),
        *("class_comparison", "class_comparison all filters", "ablation", "embedding"),
    },
}
VIEWS = (
    *PAGES,
    *("filter_explorer top images", "filter_explorer epochs"),
    *("model_training mistakes", "model_training epochs"),
    *("class_comparison all filters", "class_comparison ten classes"),
)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Changes a bit in the middle, as a bad disk does."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_broken_disk(path: Path) -> None:
    """A file that opens, but whose reads fail: the process's memory, where it has none. Permissions
    would not do, for they do not stop root, who runs tests in containers."""
    path.unlink()
    path.symlink_to("/proc/self/mem")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b"") and None,
    "truncated": truncate,
    "one bit": flip,
    "garbage": lambda path: path.write_bytes(bytes(range(256))) and None,
    "a folder": replace_by_folder,
    "unreadable": replace_by_broken_disk,
}

# What a text without a checksum can be caught at.
TEXT_DAMAGES = ("missing", "garbage", "a folder", "unreadable")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the app looks for its models; there is one, a copy of the tutorial's."""
    find = model_folder.find
    monkeypatch.setattr(model_folder, "find", lambda: find(tmp_path))
    shutil.copytree(TUTORIAL, tmp_path / "copy")
    return tmp_path


def open_view(open_page: Open, view: str, **parameters: object) -> AppTest:
    page, _, panel = view.partition(" ")
    key = {"model_training": "part", "class_comparison": "compare"}.get(page, "panel")
    return open_page(page, **{key: panel} if panel else {}, **parameters)


def everything_said(app: AppTest) -> str:
    boxes = (*app.error, *app.warning, *app.info, *app.caption)
    return "\n".join([text(app), *(box.value for box in boxes)])


def sentences_about(app: AppTest, name: str) -> set[str]:
    """Return what the page says of a damaged file: where it is, what is wrong, and the remedy."""
    remedy = r"(?:`[^`]+` computes it again|restore it, or delete it and do without)"
    found = re.findall(
        rf"\S+/{re.escape(name)} is damaged \([^)]*\): {remedy}\.", everything_said(app)
    )
    return set(map(unescape, found))


def notes_on_missing(app: AppTest, name: str) -> set[str]:
    """Return what the page says of a file that a model came without."""
    patterns = {
        "insights.npz": r"python -m core\.insights \S+",
        "history.csv": r"Without a training history \(history\.csv\): copy\.|"
        r"came without .* \(checkpoints\.npz, history\.csv\)",
        "checkpoints.npz": r"came without .* \(checkpoints\.npz, history\.csv\)",
    }
    return set(re.findall(patterns[name], everything_said(app)))


@pytest.mark.parametrize("damage", ["missing", "garbage", "unreadable"])
@pytest.mark.parametrize("name", NEEDED_BY)
def test_a_damaged_record_costs_only_what_needs_it(
    open_page: Open, models: Path, name: str, damage: str
) -> None:
    DAMAGES[damage](models / "copy" / name)
    for view in VIEWS:
        app = open_view(open_page, view)
        assert_sound(app)
        assert "Label: 8 Bag" in text(app)
        if damage == "missing":  # which is no damage: nothing but model.keras is required
            assert not app.warning
            said = notes_on_missing(app, name)
        else:
            said = sentences_about(app, name)
        assert len(said) == (view in NEEDED_BY[name]), (view, everything_said(app))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_network_is_one_sentence_on_each_page(
    open_page: Open, models: Path, damage: str
) -> None:
    DAMAGES[damage](models / "copy" / "model.keras")
    for page in PAGES:
        app = open_page(page)
        assert not app.exception
        if page == "dataset_gallery":  # shows no model
            assert not app.error
            assert "Test image 2000" in text(app)
        else:
            (error,) = app.error
            assert re.fullmatch(r"\S+/model\.keras [^\n]*\.", error.value)


def test_a_model_that_goes_away_leaves_its_visitors_another(open_page: Open, models: Path) -> None:
    shutil.copytree(models / "copy", models / "other")
    for page in PAGES:
        app = open_page(page, model="other", image=3)
        assert app.session_state["model"] == "other"
        shutil.move(models / "other", models / ".other")
        app.run()
        assert_sound(app)
        assert app.session_state["model"] == "copy"
        assert "Label: 1 Trouser" in text(app)
        shutil.move(models / ".other", models / "other")


@pytest.mark.parametrize("damage", TEXT_DAMAGES)
def test_a_damaged_card_is_one_sentence(open_page: Open, models: Path, damage: str) -> None:
    DAMAGES[damage](models / "copy" / "card.md")
    app = open_page("model_training")
    app.session_state["card_copy"] = True  # opens it
    app.run()
    assert_sound(app)
    said = everything_said(app) + "".join(element.value for element in app.markdown)
    assert ("card.md is damaged" in said) == (damage != "missing"), said


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the app finds the test images: a copy of its own, of which nothing is read yet."""
    folder = tmp_path / "data"
    shutil.copytree(sources.BUNDLED_DIR, folder)
    monkeypatch.setenv(sources.DIR_VARIABLE, str(folder))
    monkeypatch.setattr(sources, "BUNDLED_DIR", folder)
    monkeypatch.setattr(cache, "split", dataset.load_split)
    monkeypatch.setattr(cache, "train_summary", dataset.load_train_summary)
    monkeypatch.setattr(memo, "kept", lambda make, *_: make())
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_damaged_test_images_are_one_sentence_on_each_page(
    open_page: Open, data: Path, name: str, damage: str
) -> None:
    DAMAGES[damage](data / name)
    for page in PAGES:
        app = open_page(page)
        assert not app.exception
        (error,) = app.error
        assert re.fullmatch(rf"\S+/{name} [^\n]*: put Fashion-MNIST's [^\n]*\.", error.value)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_summary_of_the_training_images(open_page: Open, data: Path, damage: str) -> None:
    DAMAGES[damage](data / sources.SUMMARY_NAME)
    app = open_page("dataset_gallery")
    assert not app.exception
    (error,) = app.error
    assert re.fullmatch(r"\S+/train_summary\.npz [^\n]*: restore it [^\n]*\.", error.value)
    assert "Test image 2000" in text(app)  # what is known without it
    assert_sound(open_page("home"))


@pytest.mark.parametrize("damage", TEXT_DAMAGES)
def test_a_damaged_list_of_attempts_is_one_sentence(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    path = tmp_path / "attempts.csv"
    shutil.copy(attempts.ATTEMPTS_FILE, path)
    DAMAGES[damage](path)
    monkeypatch.setattr(cache, "tried", lambda: tuple(attempts.load(path)))
    app = open_page("model_training")
    assert_sound(app)
    (warning,) = app.warning
    assert re.fullmatch(r"attempts\.csv is missing or damaged [^\n]*\.", warning.value)
    assert "What each change brought" not in [each.value for each in app.subheader]


@pytest.mark.parametrize("page", ["filter_explorer", "model_training"])
def test_a_model_that_is_replaced_again_and_again_shows_one_version_at_a_time(
    open_page: Open, models: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Its last epoch is 5 in one version and 3 in the other, so files of both would not fit."""
    folder, other, away = models / "copy", models / ".other", models / ".away"
    shutil.copytree(folder, other)
    history = (folder / "history.csv").read_text().splitlines()
    (other / "history.csv").write_text("\n".join(history[:4]) + "\n")
    with np.load(folder / "checkpoints.npz") as arrays:
        early = {name: arrays[name] for name in arrays.files if name[0] in "012"}
    np.savez(other / "checkpoints.npz", allow_pickle=False, **early)

    def swap() -> None:
        folder.rename(away)
        other.rename(folder)
        away.rename(other)

    chance, opened = random.Random(0), Path.open

    def swap_now_and_then(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.parent == folder and chance.random() < 0.2:
            swap()
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", swap_now_and_then)
    seen = set()
    for _ in range(30):
        swap()
        app = open_page(page, panel="epochs", part="epochs")
        assert_sound(app)
        (player,) = (
            json.loads(element.proto.bytes)
            for element in app.get("bidi_component")
            if element.proto.component_name == "epoch_player"
        )
        seen.add(tuple(player["epochs"]))
    assert seen == {(0, 1, 2, 3, 4, 5), (0, 1, 2, 3)}


def test_a_folder_with_a_network_only_is_welcome(open_page: Open, models: Path) -> None:
    """Whatever it is called: no alert, and no command that could overwrite the network."""
    shutil.rmtree(models / "copy")
    name = os.fsdecode(b"caf\xe9 & <b>1")
    (models / name).mkdir()
    shutil.copy(TUTORIAL / "model.keras", models / name)
    for view in VIEWS:
        app = open_view(open_page, view)
        assert_sound(app)
        assert not app.warning
        said = everything_said(app)
        assert "Label: 8 Bag" in said
        assert "core.training" not in said
        commands = re.findall(r"python -m core\.insights .*?'(?= |$)", said, re.MULTILINE)
        assert bool(commands) == (view in NEEDED_BY["insights.npz"])
        for command in commands:
            path = subprocess.run(
                ["bash", "-c", command.replace("python -m core.insights", "printf %s")],
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            assert Path(os.fsdecode(path)) == models / name


def test_pages_say_how_far_a_measurement_is(open_page: Open, models: Path) -> None:
    (models / "copy" / "insights.npz").unlink()
    (models / "copy" / ".measuring").write_text("0.43")
    for view in NEEDED_BY["insights.npz"]:
        said = everything_said(open_view(open_page, view))
        assert "being measured over all 10,000 test images, 43% done" in said
        assert "core.insights" not in said
