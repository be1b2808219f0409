"""Checks of the model folders."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.models import model_files
from core.models.model_files import ModelFiles
from core.models.model_folder import MODELS_DIR, ModelFolder
from core.network import Network
from tests.tools.doctor.single import only
from tools.doctor import models
from tools.doctor.findings import Finding


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The only model folder of `check`, a copy of a bundled one."""
    return Path(shutil.copytree(MODELS_DIR / "tutorial", tmp_path / "models" / "mine"))


def check(folder: Path) -> list[Finding]:
    return list(models.check_models(folder.parent))


def test_sound_model(folder: Path) -> None:
    (finding,) = check(folder)
    assert finding.state == "good"
    assert re.fullmatch(
        r"model mine: its files are sound, 8\d\.\d% of 500 test images right, "
        "as its insights say",
        finding.text,
    )


@pytest.mark.usefixtures("no_data")
def test_model_without_test_images(folder: Path) -> None:
    assert check(folder) == [Finding("good", "model mine: its files are sound")]


def test_no_model_at_all(tmp_path: Path) -> None:
    finding = only(models.check_models(tmp_path))
    assert finding.state == "broken"
    assert "`python -m core.training --recipe tutorial`" in finding.text


def test_damaged_network_beside_a_sound_one(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("bad"))
    (folder.with_name("bad") / model_files.NETWORK_FILE).write_bytes(b"no zip")
    bad, mine = check(folder)
    assert (bad.state, mine.state) == ("broken", "good")
    assert "bad/model.keras is not a .keras file" in bad.text


def test_network_that_was_not_measured_is_broken(folder: Path) -> None:
    shutil.copy(MODELS_DIR / "tuned" / model_files.NETWORK_FILE, folder)
    broken, _ = check(folder)
    assert broken.state == "broken"
    assert "insights.npz is damaged (it was not computed from this model.keras)" in broken.text


def test_different_arithmetic_is_broken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Network.predict

    def slightly_off(network: Network, batch: Any) -> Any:
        outputs = compute(network, batch)
        outputs[:10] = np.roll(outputs[:10], 1, axis=1)  # ten of the 500
        return outputs

    monkeypatch.setattr(Network, "predict", slightly_off)
    (finding,) = check(folder)
    assert finding.state == "broken"
    assert "where its insights say" in finding.text


@pytest.mark.parametrize(
    "name",
    [
        model_files.HISTORY_FILE,
        model_files.CHECKPOINTS_FILE,
        model_files.INSIGHTS_FILE,
        model_files.CARD_FILE,
    ],
)
def test_damaged_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff")
    broken = [each for each in check(folder) if each.state == "broken"]
    assert broken
    assert all(f"mine/{name} is damaged" in each.text for each in broken)


def test_checkpoints_are_read_to_the_last(folder: Path) -> None:
    file = folder / model_files.CHECKPOINTS_FILE
    with np.load(file) as archive:
        arrays = dict(archive)
    arrays["4/dense_layer_7/bias"][-1] = np.nan
    np.savez(file, allow_pickle=False, **arrays)
    broken, _ = check(folder)
    assert broken.state == "broken"
    assert "4/dense_layer_7/bias" in broken.text


def test_what_a_killed_training_left_is_named(folder: Path) -> None:
    for name in (".mine-0123abcd", ".mine-0123abcd-earlier"):
        (folder.parent / name).mkdir()
    sound, unfinished, earlier = models.check_models(folder.parent)
    assert [sound.state, unfinished.state, earlier.state] == ["good", "warning", "warning"]
    assert ".mine-0123abcd: the unfinished model of a training: remove it" in unfinished.text
    assert ".mine-0123abcd-earlier: the model that a killed training" in earlier.text


def test_model_that_is_not_measured(folder: Path) -> None:
    (folder / model_files.INSIGHTS_FILE).unlink()
    warning, computes = check(folder)
    command = ModelFolder(folder).insights_command
    assert warning == Finding("warning", f"model mine: not measured yet: `{command}`")
    assert computes.state == "good"


def test_network_without_other_files(folder: Path) -> None:
    for name in model_files.FILES - {model_files.NETWORK_FILE}:
        (folder / name).unlink()
    insights, others, computes = check(folder)
    assert (insights.state, others.state, computes.state) == ("warning", "warning", "good")
    assert "without history.csv, checkpoints.npz, card.md" in others.text


@pytest.mark.parametrize(
    ("shape", "classes", "activation"),
    [((32, 32, 3), 10, "softmax"), ((28, 28, 1), 2, "softmax"), ((28, 28, 1), 10, "relu")],
)
def test_network_for_other_images_is_a_warning(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, ...],
    classes: int,
    activation: str,
) -> None:
    last = SimpleNamespace(output_shape=(classes,), activation=activation)
    other = SimpleNamespace(input_shape=shape, layers=[last])
    monkeypatch.setattr(ModelFiles, "network", lambda _files: other)
    (finding,) = check(folder)
    assert finding.state == "warning"
    assert "so the app cannot show it" in finding.text
