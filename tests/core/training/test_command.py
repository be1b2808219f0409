"""The command line: progress, replacing, interrupts, failures, arguments."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.command_line.progress import ProgressBar
from core.dataset import DatasetError
from core.models.model_files import FILES
from core.models.model_folder import ModelFolder
from core.training import command, fitting, trainer
from core.training.recipes import RECIPES
from tests.core.training.small import SHORT, TEST, TRAIN, contents

pytest.importorskip("tensorflow", reason="only training needs TensorFlow")
pytestmark = pytest.mark.usefixtures("quick_embedding")

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def earlier(output):
    """A model folder that is already where the next one goes; it holds half of the files."""
    output.mkdir(parents=True)
    (output / "model.keras").write_bytes(b"earlier")
    return output


@pytest.fixture
def run(monkeypatch, output):
    """The command line on little data."""
    monkeypatch.setattr(command, "load_split", {"train": TRAIN, "test": TEST}.__getitem__)
    monkeypatch.setitem(RECIPES, "tutorial", SHORT)
    return lambda *options: command.main(
        ["--recipe", "tutorial", "--output", str(output), *options]
    )


class TestProgress:
    def test_one_bar_from_0_to_1(self, run, monkeypatch):
        shares = []
        report = ProgressBar.__call__

        def record(bar, share, words):
            shares.append(share)
            report(bar, share, words)

        monkeypatch.setattr(ProgressBar, "__call__", record)
        assert run() == 0
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0, 1)
        assert len([share for share in shares if 0.3 < share < 0.9]) > 3

    def test_the_model_is_offered_before_its_filters_are_measured(self, run, monkeypatch):
        seen = []

        def measure(folder, _split, _progress):
            seen.extend(path.name for path in folder.path.iterdir())
            raise KeyboardInterrupt

        monkeypatch.setattr(ModelFolder, "measure", measure)
        assert run() == 130
        assert set(seen) == FILES - {"insights.npz"}

    def test_what_libraries_log_stays_out_of_the_bar(self, run, monkeypatch, capfd):
        fit = fitting.fit

        def noisy(*args, **kwargs):
            os.write(2, b"I0000 one of TensorFlow's messages\n")
            return fit(*args, **kwargs)

        monkeypatch.setattr(fitting, "fit", noisy)
        assert run() == 0
        printed = capfd.readouterr().err
        assert "starting TensorFlow" in printed
        assert "TensorFlow's messages" not in printed


class TestReplacing:
    def test_an_existing_folder_is_refused_before_anything_is_done(
        self, earlier, monkeypatch, capsys
    ):
        monkeypatch.setattr(command, "load_split", lambda _name: pytest.fail("data were read"))
        assert command.main(["--recipe", "tutorial", "--output", str(earlier)]) == 1
        assert capsys.readouterr().err == (
            f"{earlier} exists: add --replace, or choose another folder (--output).\n"
        )
        assert contents(earlier) == {"model.keras": b"earlier"}

    def test_replace(self, earlier, run, trained):
        assert run("--replace", "--seed", "7") == 0
        assert set(contents(earlier)) == FILES
        assert "| seed | 7 |" in ModelFolder(earlier).read().card()
        assert (
            ModelFolder(earlier).read().history()["test_loss"][0]
            != trained.read().history()["test_loss"][0]
        )
        assert [path.name for path in earlier.parent.iterdir()] == [earlier.name]

    def test_a_folder_with_other_things_is_never_replaced(self, earlier, run, capsys):
        (earlier / "thesis.tex").write_text("years of work")
        assert run("--replace") == 1
        assert "thesis.tex in it is no part of a model folder" in capsys.readouterr().err
        assert set(contents(earlier)) == {"model.keras", "thesis.tex"}

    def test_a_file_is_never_replaced(self, output, run, capsys):
        output.parent.mkdir()
        output.write_text("text")
        assert run("--replace") == 1
        assert "is not a folder" in capsys.readouterr().err
        assert output.read_text() == "text"


NOTHING_DONE = "Interrupted: nothing was written, nothing was replaced."


def interrupt(earlier, name, event, text):
    """Send the command a signal at a moment; return the last line that it prints."""
    command = [sys.executable, "-m", "tests.core.training.interrupted_training", name, event, text]
    command += ["--recipe", "fast", "--replace", "--output", str(earlier)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 128 + getattr(signal, name), ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in earlier.parent.iterdir()] == [earlier.name]
    return ended.stderr.splitlines()[-1]


class TestInterrupts:
    @pytest.mark.parametrize(
        ("name", "event", "text"),
        [
            ("SIGINT", "import", "pandas"),
            ("SIGINT", "import", "tensorflow"),
            ("SIGINT", "progress", "epoch 2/2"),
            ("SIGTERM", "progress", "epoch 1/2"),
            ("SIGHUP", "progress", "epoch 1/2"),
        ],
    )
    def test_before_the_model_is_complete_everything_stays(self, earlier, name, event, text):
        assert interrupt(earlier, name, event, text) == NOTHING_DONE
        assert contents(earlier) == {"model.keras": b"earlier"}

    @pytest.mark.parametrize(
        ("name", "event", "text"),
        [
            ("SIGINT", "os.rename", "models"),
            ("SIGTERM", "os.rmdir", "-earlier"),
            ("SIGINT", "progress", "insights"),
        ],
    )
    def test_after_that_the_model_is_kept_and_the_message_says_so(self, earlier, name, event, text):
        last = interrupt(earlier, name, event, text)
        assert last.startswith(f"Interrupted: the trained model is in {earlier}, but its filters")
        assert last.endswith(f"`python -m core.insights {earlier}` does that.")
        assert {path.name for path in earlier.iterdir()} == FILES - {"insights.npz"}
        assert ModelFolder(earlier).read().network().parameter_count == 243_786


class TestFailures:
    @pytest.mark.parametrize("function", ["savez", "write_text"])
    def test_disk_full(self, earlier, run, monkeypatch, capsys, function):
        def fail(*_args, **_kwargs):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr({"savez": np, "write_text": Path}[function], function, fail)
        assert run("--replace") == 1
        last = capsys.readouterr().err.splitlines()[-1]
        assert last == (
            f"{earlier} could not be written (No space left on device): nothing was written, "
            "nothing was replaced."
        )
        assert contents(earlier) == {"model.keras": b"earlier"}
        assert len(list(earlier.parent.iterdir())) == 1

    def test_the_last_rename_fails(self, earlier, run, monkeypatch, capsys):
        rename = Path.rename

        def fail_once(path, target):
            if target == earlier:
                monkeypatch.undo()
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", fail_once)
        assert run("--replace") == 1
        assert "Permission denied" in capsys.readouterr().err
        assert contents(earlier) == {"model.keras": b"earlier"}
        assert len(list(earlier.parent.iterdir())) == 1

    def test_training_data_are_missing(self, output, monkeypatch, capsys):
        def missing(_name):
            raise DatasetError("No folder holds them: download them.")

        monkeypatch.setattr(command, "load_split", missing)
        assert command.main(["--recipe", "tutorial", "--output", str(output)]) == 1
        assert capsys.readouterr().err == "No folder holds them: download them.\n"
        assert not output.parent.exists()

    def test_disk_full_while_the_filters_are_measured(self, output, run, monkeypatch, capsys):
        def fail(*_args):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(ModelFolder, "write_insights", fail)
        assert run() == 1
        assert capsys.readouterr().err.splitlines()[-1] == (
            f"{output} could not be written (No space left on device): the trained model is in "
            f"{output}, but its filters were not measured; `python -m core.insights {output}` does "
            "that."
        )
        assert set(contents(output)) == FILES - {"insights.npz"}

    def test_an_unexpected_error_brings_the_log_of_the_libraries(self, run, monkeypatch, capfd):
        def fail(*_args, **_kwargs):
            os.write(2, b"said by a library\n")
            raise ZeroDivisionError

        monkeypatch.setattr(trainer, "train", fail)
        with pytest.raises(ZeroDivisionError):
            run()
        assert "said by a library" in capfd.readouterr().err

    def test_without_the_package_for_the_embedding(self, output, run, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "openTSNE", None)
        monkeypatch.setattr(trainer, "train", lambda *_args, **_kwargs: pytest.fail("trained"))
        assert run() == 1
        assert "openTSNE" in capsys.readouterr().err
        assert not output.parent.exists()

    def test_without_tensorflow(self, output, run, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "tensorflow", None)
        assert run() == 1
        assert "Training needs TensorFlow" in capsys.readouterr().err
        assert not output.parent.exists()


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "--recipe --list is required"),
            (["--recipe", "none"], "invalid choice: 'none'"),
            (["--recipe", "tutorial", "--seed", "-1"], "'-1' is not a whole number"),
            (["--recipe", "tutorial", "--seed", str(2**32)], "is not a whole number from 0 to"),
        ],
    )
    def test_wrong_ones(self, capsys, arguments, message):
        with pytest.raises(SystemExit) as stopped:
            command.main(arguments)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err

    def test_list(self, capsys):
        assert command.main(["--list"]) == 0
        assert capsys.readouterr().out.startswith("tutorial: the tutorial's network")


def test_tensorflow_is_imported_only_to_train():
    check = "import sys, core.training; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
