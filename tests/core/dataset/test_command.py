"""The command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from core import dataset
from core.dataset import command
from tests.core.dataset.miniature import (
    TEST_IMAGES,
)


class TestCommandLine:
    def test_download_prints_the_folder(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(command, "download", lambda _: Path("cache"))
        assert command.main(["download"]) == 0
        assert capsys.readouterr().out == "cache\n"

    @pytest.mark.usefixtures("write")
    def test_error_is_one_line_and_status_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["bundle"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"No folder holds both {TEST_IMAGES}.gz")
        assert captured.err.count("\n") == 1

    def test_progress_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        command.print_progress("file.gz", 1_000_000, 2_000_000)
        command.print_progress("file.gz", 2_000_000, 2_000_000)
        expected = "\rfile.gz: 1.0 of 2.0 MB\rfile.gz: 2.0 of 2.0 MB\n"
        assert capsys.readouterr().err == expected


def test_import_brings_in_neither_tensorflow_nor_streamlit() -> None:
    code = "import sys, core.dataset; print({'tensorflow', 'keras', 'streamlit'} & {*sys.modules})"
    root = Path(dataset.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
