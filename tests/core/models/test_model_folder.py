"""A model folder as a place: found, named, read while it changes."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from core.models.model_folder import MODELS_DIR, ModelFolder, ModelReplaced, find
from core.network import ModelError
from tests.core.models.own_model import HISTORY, checkpoint_arrays, save


class TestFind:
    def test_names_folders_in_order_damaged_ones_too(self, tmp_path):
        for name in ("b", "a", ".a-1f2e", "c/inside"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "a" / "model.keras").touch()
        (tmp_path / "file.txt").touch()
        assert [folder.name for folder in find(tmp_path)] == ["a", "b", "c"]

    def test_nothing_where_there_is_no_directory(self, tmp_path):
        assert find(tmp_path / "none") == []

    def test_a_directory_of_models_that_is_a_file(self, tmp_path):
        (tmp_path / "models").touch()
        assert find(tmp_path / "models") == []


def test_remedies_name_the_repositorys_folders_briefly():
    with pytest.raises(ModelError, match=r"^There is no folder assets/models/none: "):
        ModelFolder(MODELS_DIR / "none").read().network()


class TestNames:
    def test_a_name_that_is_not_valid_utf_8_is_shown_escaped(self, tmp_path):
        (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
        (folder,) = find(tmp_path)
        assert folder.name == r"caf\xe9"
        with pytest.raises(ModelError, match=r"caf\\xe9/model\.keras is missing"):
            folder.read().network()

    @pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
    @pytest.mark.parametrize(
        "name",
        [b"\xc3\xa9 1&<b>", b"a'b", b"$(touch x)", b"caf\xe9", b"a\nb", b"-n", b"`x`", b"\\"],
    )
    def test_a_command_names_the_folder_as_a_shell_takes_it(self, tmp_path, name):
        path = tmp_path / os.fsdecode(name)
        path.mkdir()
        command = ModelFolder(path).insights_command
        assert command.isprintable()
        words = subprocess.run(
            ["bash", "-c", command.replace("python -m core.insights", "printf %s")],
            stdout=subprocess.PIPE,
            check=True,
        )
        assert Path(os.fsdecode(words.stdout)) == path


class TestVersions:
    def test_all_files_are_of_one_version_while_the_folder_is_swapped(
        self, folder, tmp_path, monkeypatch
    ):
        """A reader that mixed them would find an epoch of one version in the history of another."""
        other = tmp_path / "other"
        shutil.copytree(folder.path, other)
        (other / "history.csv").write_text("\n".join(HISTORY.splitlines()[:3]) + "\n")
        save(other / "checkpoints.npz", checkpoint_arrays(0, 1))
        (other / "card.md").write_text("# Other\n")
        expected = {"# Mine\n": (0, 2, 3), "# Other\n": (0, 1, 2)}

        def swap():
            folder.path.rename(tmp_path / "away")
            other.rename(folder.path)
            (tmp_path / "away").rename(other)

        chance, opened = random.Random(0), Path.open

        def swap_now_and_then(path, *args, **kwargs):
            if path.parent == folder.path and chance.random() < 0.2:
                swap()
            return opened(path, *args, **kwargs)

        monkeypatch.setattr(Path, "open", swap_now_and_then)
        seen = set()
        for _ in range(100):
            swap()
            files = folder.read()
            assert tuple(files.checkpoints()) == expected[files.card()]
            seen.add(files.card())
        assert seen == set(expected)

    def test_a_folder_that_changes_at_every_reading_is_refused(self, folder, monkeypatch):
        opened = Path.open

        def change_another(path, *args, **kwargs):
            if path.name == "card.md":
                with opened(path.with_name("history.csv"), "a") as stream:
                    stream.write("more")
            return opened(path, *args, **kwargs)

        monkeypatch.setattr(Path, "open", change_another)
        with pytest.raises(ModelReplaced, match="changes while it is read"):
            folder.read()

    def test_a_version_that_was_read_stays_whole_when_the_folder_is_gone(self, folder):
        files = folder.read()
        shutil.rmtree(folder.path)
        assert tuple(files.checkpoints()) == (0, 2, 3)
        assert (files.checkpoints()[2]["conv_layer_1"]["kernel"] == 2).all()
        assert files.card() == "# Mine\n"
        with pytest.raises(ModelReplaced, match=r"^There is no folder \S+/mine: "):
            folder.read()
