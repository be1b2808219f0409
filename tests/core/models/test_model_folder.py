import io
import os
import pickle
import random
import shutil
import subprocess
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.dataset import Split, load_split
from core.models import measuring, model_files
from core.models.model_folder import MODELS_DIR, ModelFolder, ModelReplaced, find
from core.network import ModelError

TUTORIAL = ModelFolder(MODELS_DIR / "tutorial")
HISTORY = """\
epoch,seconds,train_loss,train_accuracy,test_loss,test_accuracy
1,2.5,0.9,0.5,0.8,0.6
2,2.4,0.7,0.7,0.75,0.65
3,2.4,0.6,0.8,0.7,0.7
"""


def save(path, arrays):
    np.savez(path, **arrays)


def checkpoint_arrays(*epochs):
    layers = TUTORIAL.read().network().layers
    return {
        f"{epoch}/{layer.name}/{name}": np.full(weight.shape, epoch, np.float16)
        for epoch in epochs
        for layer in layers
        for name, weight in layer.weights.items()
    }


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "mine"
    path.mkdir()
    shutil.copy(TUTORIAL.path / "model.keras", path)
    (path / "history.csv").write_text(HISTORY)
    save(path / "checkpoints.npz", checkpoint_arrays(0, 2))
    (path / "card.md").write_text("# Mine\n", encoding="utf-8")
    return ModelFolder(path)


BUNDLED = [path.name for path in sorted(MODELS_DIR.iterdir())]


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_models_are_complete_and_agree_with_themselves(name):
    bundled = ModelFolder(MODELS_DIR / name)
    assert {path.name for path in bundled.path.iterdir()} == model_files.FILES
    files, labels = bundled.read(), load_split("test").labels
    history, insights = files.history(), files.insights()
    if "test_loss" in history:
        accuracy, loss = history.iloc[-1][["test_accuracy", "test_loss"]]
        assert insights.accuracy(labels) == pytest.approx(accuracy, abs=2e-4)
        assert insights.loss(labels) == pytest.approx(loss, abs=1e-4)
    assert len(files.checkpoints()) <= 15
    assert files.card().startswith(f"# {name}\n")
    assert f"| test | {insights.loss(labels):.4f} | {insights.accuracy(labels):.4f} |" in (
        files.card().replace("test, after the last epoch", "test")
    )


@pytest.mark.parametrize("name", BUNDLED)
def test_keras_alone_confirms_the_accuracy_of_a_bundled_model(name):
    keras = pytest.importorskip("keras", reason="Keras is what confirms it")
    bundled, test = ModelFolder(MODELS_DIR / name), load_split("test")
    model = keras.saving.load_model(bundled.path / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    images = test.images[..., np.newaxis].astype(np.float32) / 255
    loss, accuracy = model.evaluate(images, test.labels, batch_size=500, verbose=0)
    assert accuracy == pytest.approx(bundled.read().insights().accuracy(test.labels), abs=2e-4)
    assert loss == pytest.approx(bundled.read().insights().loss(test.labels), abs=1e-4)


def test_bundled_models_stay_small_together():
    assert sum(path.stat().st_size for path in MODELS_DIR.rglob("*.*")) <= 24e6


def test_the_tutorials_network():
    assert TUTORIAL.read().network().parameter_count == 243_786
    assert len(TUTORIAL.read().history()) == 5
    assert tuple(TUTORIAL.read().checkpoints()) == (0, 1, 2, 3, 4, 5)


class TestFind:
    def test_names_folders_in_order_damaged_ones_too(self, tmp_path):
        for name in ("b", "a", ".a-1f2e", "c/inside"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "a" / "model.keras").touch()
        (tmp_path / "file.txt").touch()
        assert [folder.name for folder in find(tmp_path)] == ["a", "b", "c"]

    def test_nothing_where_there_is_no_directory(self, tmp_path):
        assert find(tmp_path / "none") == []


class TestNetwork:
    def test_missing(self, folder):
        (folder.path / "model.keras").unlink()
        with pytest.raises(ModelError, match=r"mine/model\.keras is missing: put a \.keras file"):
            folder.read().network()

    def test_damaged(self, folder):
        (folder.path / "model.keras").write_bytes(b"no zip")
        with pytest.raises(ModelError, match=r"mine/model\.keras is not a \.keras file"):
            folder.read().network()


class TestHistory:
    def test_reads(self, folder):
        expected = pd.read_csv(io.StringIO(HISTORY))
        pd.testing.assert_frame_equal(folder.read().history(), expected)

    def test_reads_a_validation_split(self, folder):
        content = (
            "epoch,seconds,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
            "1,1,1,1,0.5,0.25\n"
        )
        (folder.path / "history.csv").write_text(content)
        assert folder.read().history()["validation_accuracy"].tolist() == [0.25]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (HISTORY, ""),
            ("1,2.5,0.9,0.5,0.8,0.6\n2,2.4,0.7,0.7,0.75,0.65\n3,2.4,0.6,0.8,0.7,0.7\n", ""),
            ("train_loss", "loss"),
            ("2,2.4", "4,2.4"),
            ("2,2.4", "1,2.4"),
            ("2,2.4", "2.5,2.4"),
            ("0.9,", "nan,"),
            ("0.9,", "inf,"),
            ("0.9,", "-0.9,"),
            ("0.9,", "good,"),
            ("0.9,", ","),
            ("0.9,", ""),
            ("0.9,", "0.9,0.9,"),
            (",0.6\n", ",1.6\n"),
            ("0.9", '"0.9'),
            ("0.9", "\0"),
            ("0.9", "0" * 2**20),
        ],
    )
    def test_damaged(self, folder, old, new):
        assert old in HISTORY
        (folder.path / "history.csv").write_text(HISTORY.replace(old, new, 1))
        with pytest.raises(
            ModelError, match=r"mine/history\.csv is damaged \(.+\): restore it, .*\.$"
        ):
            folder.read().history()

    def test_not_text(self, folder):
        (folder.path / "history.csv").write_bytes(b"\xff\xfe\xfa")
        with pytest.raises(ModelError, match=r"history\.csv is damaged"):
            folder.read().history()

    def test_missing(self, folder):
        (folder.path / "history.csv").unlink()
        assert folder.read().history() is None
        assert tuple(folder.read().checkpoints()) == ()  # which is the last epoch is not known


class TestCheckpoints:
    def test_epochs(self, folder):
        assert tuple(folder.read().checkpoints()) == (0, 2, 3)

    def test_a_stored_epoch(self, folder):
        weights = folder.read().checkpoints()[2]
        assert list(weights) == ["conv_layer_1", "conv_layer_3", "dense_layer_6", "dense_layer_7"]
        kernel = weights["conv_layer_1"]["kernel"]
        assert kernel.dtype == np.float32
        assert kernel.shape == (3, 3, 1, 64)
        assert (kernel == 2).all()
        assert not kernel.flags.writeable

    def test_the_last_epoch_is_the_models(self, folder):
        weights = folder.read().checkpoints()[3]
        for layer in folder.read().network().layers:
            for name, weight in layer.weights.items():
                np.testing.assert_array_equal(weights[layer.name][name], weight)

    @pytest.mark.parametrize("epochs", [(1, 2), (0, 3), (0, -1), ("0", "x"), (0, "01"), ()])
    def test_impossible_epochs(self, folder, epochs):
        small = {f"{epoch}/conv_layer_1/bias": np.zeros(64, np.float16) for epoch in epochs}
        save(folder.path / "checkpoints.npz", small)
        with pytest.raises(ModelError, match=r"mine/checkpoints\.npz is damaged"):
            folder.read().checkpoints()

    @pytest.mark.parametrize(
        "array",
        [
            None,
            np.zeros(64, np.float32),
            np.zeros(63, np.float16),
            np.full(64, np.inf, np.float16),
            np.array([{}]),
        ],
    )
    def test_weights_that_do_not_fit(self, folder, array):
        arrays = checkpoint_arrays(0)
        del arrays["0/conv_layer_1/bias"]
        if array is not None:
            arrays["0/conv_layer_1/bias"] = array
        save(folder.path / "checkpoints.npz", arrays)
        with pytest.raises(ModelError, match=r"checkpoints\.npz is damaged .*: restore it, "):
            folder.read().checkpoints()[0]

    def test_missing(self, folder):
        (folder.path / "checkpoints.npz").unlink()
        assert tuple(folder.read().checkpoints()) == ()


class TestArchives:
    """What no archive of arrays may do, whichever of the two it is."""

    def assert_refused(self, folder, content):
        (folder.path / "checkpoints.npz").write_bytes(content)
        with pytest.raises(ModelError, match=r"mine/checkpoints\.npz is damaged"):
            folder.read().checkpoints()

    def test_nothing_is_unpickled(self, folder, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (tmp_path.joinpath("exploded").touch, ())

        self.assert_refused(folder, pickle.dumps(Bomb()))
        stream = io.BytesIO()
        np.savez(stream, bomb=np.array([Bomb()], dtype=object))
        self.assert_refused(folder, stream.getvalue())
        assert not (tmp_path / "exploded").exists()

    def test_other_files(self, folder):
        stream = io.BytesIO()
        np.save(stream, np.zeros(3))
        for content in (b"", b"PK\x03\x04", stream.getvalue()):
            self.assert_refused(folder, content)

    def test_a_bomb_is_not_unpacked(self, folder):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("0/conv_layer_1/bias.npy", bytes(9_000_000))
        assert len(stream.getvalue()) < 20_000
        self.assert_refused(folder, stream.getvalue())

    def test_a_header_that_declares_too_much(self, folder):
        stream = io.BytesIO()
        header = {"descr": "<f2", "fortran_order": False, "shape": (2**40,)}
        np.lib.format.write_array_header_1_0(stream, header)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("0/conv_layer_1/bias.npy", stream.getvalue())
        self.assert_refused(folder, archive.getvalue())

    def test_cut_short(self, folder):
        content = (folder.path / "checkpoints.npz").read_bytes()
        for length in range(0, len(content), len(content) // 20):
            self.assert_refused(folder, content[:length])


@pytest.mark.usefixtures("quick_embedding")
class TestInsights:
    @pytest.fixture
    def insights(self, folder):
        """Of a split with two images of each class, which is much the same for every network."""
        images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
        return folder.read().measure(Split(images, np.arange(20, dtype=np.uint8) % 10))

    def test_none_where_there_are_none(self, folder):
        assert folder.read().insights() is None

    def test_round_trip(self, folder, insights):
        before = set(folder.path.iterdir())
        folder.write_insights(insights, folder.read())
        assert set(folder.path.iterdir()) - before == {folder.path / "insights.npz"}
        read = folder.read().insights()
        np.testing.assert_array_equal(read.probabilities, insights.probabilities)
        assert list(read.class_means) == list(insights.class_means)
        assert not read.probabilities.flags.writeable
        assert len(read.epoch_accuracy) == len(folder.read().checkpoints())

    def test_of_another_model(self, folder, insights):
        folder.write_insights(insights, folder.read())
        with zipfile.ZipFile(folder.path / "model.keras", "a") as archive:
            archive.comment = b"another"
        with pytest.raises(ModelError, match=r"insights\.npz is damaged .*core\.insights"):
            folder.read().insights()

    def test_of_a_model_that_was_replaced_meanwhile(self, folder, insights):
        measured = folder.read()
        with zipfile.ZipFile(folder.path / "model.keras", "a") as archive:
            archive.comment = b"another"
        with pytest.raises(ModelReplaced, match=r"model\.keras was replaced while it was measured"):
            folder.write_insights(insights, measured)
        assert folder.read().insights() is None

    def test_progress_of_a_measurement_is_seen_from_outside(self, folder):
        images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
        seen = []
        assert folder.being_measured() is None
        folder.measure(
            Split(images, np.arange(20, dtype=np.uint8) % 10),
            lambda _share, _words: seen.append(ModelFolder(folder.path).being_measured()),
        )
        assert seen
        assert all(share is not None and 0 <= share <= 1 for share in seen)
        assert folder.being_measured() is None
        assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]

    @pytest.mark.parametrize("content", [b"", b"nan", b"2", b"x" * 1000, b"\xff"])
    def test_progress_that_makes_no_sense_is_a_share_all_the_same(self, folder, content):
        (folder.path / ".measuring").write_bytes(content)
        assert 0 <= folder.being_measured() <= 1

    def test_progress_of_a_killed_measurement_is_not_shown(self, folder):
        marker = folder.path / ".measuring"
        marker.write_text("0.4")
        long_ago = time.time() - 2 * measuring.MEASURING_TIMEOUT_S
        os.utime(marker, (long_ago, long_ago))
        assert folder.being_measured() is None

    def test_of_another_network(self, folder, insights):
        folder.write_insights(replace(insights, class_means={}), folder.read())
        with pytest.raises(ModelError, match=r"class_means/conv_layer_1 is missing"):
            folder.read().insights()

    def test_damaged(self, folder):
        (folder.path / "insights.npz").write_bytes(b"no zip")
        with pytest.raises(ModelError, match=r"insights\.npz is damaged .*core\.insights"):
            folder.read().insights()


class TestCard:
    def test_reads(self, folder):
        assert folder.read().card() == "# Mine\n"

    def test_missing(self, folder):
        (folder.path / "card.md").unlink()
        assert folder.read().card() is None

    def test_damaged(self, folder):
        (folder.path / "card.md").write_bytes(b"\xff")
        with pytest.raises(ModelError, match=r"card\.md is damaged"):
            folder.read().card()


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


class TestOddFiles:
    @pytest.mark.parametrize("name", sorted(model_files.FILES))
    def test_a_fifo_is_not_waited_for(self, folder, name):
        (folder.path / name).unlink(missing_ok=True)
        os.mkfifo(folder.path / name)
        files = folder.read()
        read = {
            "model.keras": files.network,
            "history.csv": files.history,
            "checkpoints.npz": files.checkpoints,
            "insights.npz": files.insights,
            "card.md": files.card,
        }
        with pytest.raises(ModelError, match=rf"mine/{name} .*\(it is not a file\)"):
            read[name]()

    def test_a_dangling_link(self, folder):
        (folder.path / "card.md").unlink()
        (folder.path / "card.md").symlink_to("nowhere")
        with pytest.raises(ModelError, match=r"card\.md is damaged \(it is a link to nothing\)"):
            folder.read().card()

    def test_a_sparse_file_is_not_read(self, folder):
        with (folder.path / "model.keras").open("wb") as stream:
            stream.truncate(2**40)
        with pytest.raises(ModelError, match=r"model\.keras cannot be read \(it is larger than"):
            folder.read().network()

    def test_a_directory_of_models_that_is_a_file(self, tmp_path):
        (tmp_path / "models").touch()
        assert find(tmp_path / "models") == []
