"""A data set that cannot be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dataset import sources


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, the only one in which data are looked for."""
    folder = tmp_path / "no data"
    folder.mkdir()
    monkeypatch.setenv(sources.DIR_VARIABLE, str(folder))
    return folder
