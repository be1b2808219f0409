"""`python -m core.insights`: what it writes, its errors, and Ctrl-C."""

import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from core.dataset import CLASS_NAMES
from core.evidence import insights_command
from core.models import model_files, model_folder
from tests.core.evidence.small_model import make_network

CLASSES = len(CLASS_NAMES)


@pytest.mark.usefixtures("quick_embedding")
class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch, network, split):
        """A model folder whose network and data are the small ones."""
        (tmp_path / model_files.NETWORK_FILE).write_bytes(b"the network")
        monkeypatch.setattr(model_files.ModelFiles, "network", lambda _self: network)
        monkeypatch.setattr(model_files.Network, "load", lambda _file, _name: network)
        monkeypatch.setattr(insights_command, "load_split", lambda _name: split)
        return model_folder.ModelFolder(tmp_path)

    def test_writes_what_the_folder_reads(self, folder, computed, capsys):
        assert insights_command.main([str(folder.path)]) == 0
        written = folder.path / model_files.INSIGHTS_FILE
        assert capsys.readouterr().out.strip() == str(written)
        np.testing.assert_array_equal(
            folder.read().insights().probabilities, computed.probabilities
        )
        assert len(list(folder.path.iterdir())) == 2

    @pytest.mark.parametrize(
        ("error", "status"),
        [(OSError(28, "No space left on device"), 1), (KeyboardInterrupt(), 130)],
    )
    def test_failure_leaves_the_earlier_file(self, folder, capsys, monkeypatch, error, status):
        earlier = folder.path / model_files.INSIGHTS_FILE
        earlier.write_bytes(b"earlier")

        def fail(path, **_arrays):
            path.write_bytes(b"half")
            raise error

        monkeypatch.setattr(np, "savez", fail)
        assert insights_command.main([str(folder.path)]) == status
        assert earlier.read_bytes() == b"earlier"
        assert len(list(folder.path.iterdir())) == 2
        assert capsys.readouterr().err.splitlines()[-1].endswith(".")

    def test_a_folder_without_a_model(self, tmp_path, capsys):
        assert insights_command.main([str(tmp_path / "none")]) == 1
        assert capsys.readouterr().err.startswith("There is no folder ")

    def test_a_network_that_does_not_fit(self, folder, capsys, monkeypatch):
        monkeypatch.setattr(
            model_files.ModelFiles, "network", lambda _self: make_network(outputs=7)
        )
        assert insights_command.main([str(folder.path)]) == 1
        assert "not 10 classes" in capsys.readouterr().err


@pytest.fixture
def copied(tmp_path):
    """A copy of the shipped tutorial model without its insights."""
    folder = model_folder.ModelFolder(tmp_path / "copy")
    shutil.copytree(model_folder.MODELS_DIR / "tutorial", folder.path)
    (folder.path / model_files.INSIGHTS_FILE).unlink()
    return folder


def start(script, *arguments):
    """Start a Python script in the repository's folder; its errors come as text."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=model_folder.MODELS_DIR.parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


WITHOUT_OPENTSNE = """
import sys
sys.modules["openTSNE"] = None  # importing it raises ImportError
"""


def test_the_command_names_a_missing_package_before_it_starts(copied):
    script = (
        WITHOUT_OPENTSNE
        + "from core.evidence.insights_command import main; sys.exit(main(sys.argv[1:]))"
    )
    process = start(script, copied.path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    # No line of the progress bar comes before.
    (line,) = errors.splitlines()
    assert line.startswith("Insights need the package openTSNE (")
    assert line.endswith("install it with `pip install -r requirements.txt`.")
    assert copied.read().insights() is None


def test_measuring_without_the_package_raises_one_sentence(copied):
    script = (
        WITHOUT_OPENTSNE
        + """
from pathlib import Path
from core.dataset import load_split
from core.evidence.insights import InsightsError
from core.models.model_folder import ModelFolder

def refuse_progress(share, words):
    sys.exit("the work began")

try:
    ModelFolder(Path(sys.argv[1])).measure(load_split("test"), refuse_progress)
except InsightsError as error:
    print(error, file=sys.stderr)
"""
    )
    process = start(script, copied.path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    (line,) = errors.splitlines()
    assert "openTSNE" in line
    assert "pip install" in line


def test_ctrl_c_ends_the_command_and_its_threads(copied):
    script = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent does with it
from core.evidence import insights_command

class EachCall(insights_command.ProgressBar):  # the bar itself draws only now and then
    def __call__(self, share, words):
        print(words, file=sys.stderr, flush=True)
        super().__call__(share, words)

insights_command.ProgressBar = EachCall
sys.exit(insights_command.main(sys.argv[1:]))
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = start(script, copied.path)
    try:
        assert any("64 of 10,000 images" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    # The threads do not go on with the other 311 batches, which take 20 s of CPU time or more.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 12
    assert errors.splitlines()[-1] == "Interrupted: nothing was written."
    assert "Traceback" not in errors
    assert copied.read().insights() is None
