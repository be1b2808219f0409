"""A model folder of its own for each test."""

import shutil

import pytest

from core.models.model_folder import ModelFolder
from tests.core.models.own_model import HISTORY, TUTORIAL, checkpoint_arrays, save


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "mine"
    path.mkdir()
    shutil.copy(TUTORIAL.path / "model.keras", path)
    (path / "history.csv").write_text(HISTORY)
    save(path / "checkpoints.npz", checkpoint_arrays(0, 2))
    (path / "card.md").write_text("# Mine\n", encoding="utf-8")
    return ModelFolder(path)
