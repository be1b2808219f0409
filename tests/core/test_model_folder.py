import io
import pickle
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core import model_folder
from core.dataset import Split, load_split
from core.model_folder import MODELS_DIR, ModelError, ModelFolder, find

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
    layers = TUTORIAL.network().layers
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
    assert {path.name for path in bundled.path.iterdir()} == model_folder.FILES
    history, insights, labels = bundled.history(), bundled.insights(), load_split("test").labels
    if "test_loss" in history:
        accuracy, loss = history.iloc[-1][["test_accuracy", "test_loss"]]
        assert insights.accuracy(labels) == pytest.approx(accuracy, abs=2e-4)
        assert insights.loss(labels) == pytest.approx(loss, abs=1e-4)
    for epoch in bundled.checkpoint_epochs():
        bundled.checkpoint(epoch)
    assert len(bundled.checkpoint_epochs()) <= 15
    assert bundled.card().startswith(f"# {name}\n")
    assert f"| test | {insights.loss(labels):.4f} | {insights.accuracy(labels):.4f} |" in (
        bundled.card().replace("test, after the last epoch", "test")
    )


@pytest.mark.parametrize("name", BUNDLED)
def test_keras_alone_confirms_the_accuracy_of_a_bundled_model(name):
    keras = pytest.importorskip("keras", reason="Keras is what confirms it")
    bundled, test = ModelFolder(MODELS_DIR / name), load_split("test")
    model = keras.saving.load_model(bundled.path / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    images = test.images[..., np.newaxis].astype(np.float32) / 255
    loss, accuracy = model.evaluate(images, test.labels, batch_size=500, verbose=0)
    assert accuracy == pytest.approx(bundled.insights().accuracy(test.labels), abs=2e-4)
    assert loss == pytest.approx(bundled.insights().loss(test.labels), abs=1e-4)


def test_bundled_models_stay_small_together():
    assert sum(path.stat().st_size for path in MODELS_DIR.rglob("*.*")) <= 24e6


def test_the_tutorials_network():
    assert TUTORIAL.network().parameter_count == 243_786
    assert len(TUTORIAL.history()) == 5
    assert TUTORIAL.checkpoint_epochs() == (0, 1, 2, 3, 4, 5)


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
        with pytest.raises(ModelError, match=r"mine/model\.keras is missing: .*--recipe mine"):
            folder.network()

    def test_damaged(self, folder):
        (folder.path / "model.keras").write_bytes(b"no zip")
        with pytest.raises(ModelError, match=r"mine/model\.keras is not a \.keras file"):
            folder.network()


class TestHistory:
    def test_reads(self, folder):
        expected = pd.read_csv(io.StringIO(HISTORY))
        pd.testing.assert_frame_equal(folder.history(), expected)

    def test_reads_a_validation_split(self, folder):
        content = (
            "epoch,seconds,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
            "1,1,1,1,0.5,0.25\n"
        )
        (folder.path / "history.csv").write_text(content)
        assert folder.history()["validation_accuracy"].tolist() == [0.25]

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
        with pytest.raises(ModelError, match=r"mine/history\.csv is damaged \(.+\): .* anew\.$"):
            folder.history()

    def test_not_text(self, folder):
        (folder.path / "history.csv").write_bytes(b"\xff\xfe\xfa")
        with pytest.raises(ModelError, match=r"history\.csv is damaged"):
            folder.history()

    def test_missing(self, folder):
        (folder.path / "history.csv").unlink()
        with pytest.raises(ModelError, match=r"history\.csv is missing: .*--recipe mine"):
            folder.history()


class TestCheckpoints:
    def test_epochs(self, folder):
        assert folder.checkpoint_epochs() == (0, 2, 3)

    def test_a_stored_epoch(self, folder):
        weights = folder.checkpoint(2)
        assert list(weights) == ["conv_layer_1", "conv_layer_3", "dense_layer_6", "dense_layer_7"]
        kernel = weights["conv_layer_1"]["kernel"]
        assert kernel.dtype == np.float32
        assert kernel.shape == (3, 3, 1, 64)
        assert (kernel == 2).all()
        assert not kernel.flags.writeable

    def test_the_last_epoch_is_the_models(self, folder):
        weights = folder.checkpoint(3)
        for layer in folder.network().layers:
            for name, weight in layer.weights.items():
                np.testing.assert_array_equal(weights[layer.name][name], weight)

    def test_an_epoch_that_was_not_kept(self, folder):
        with pytest.raises(ValueError, match=r"epoch 1 is not one of \(0, 2, 3\)"):
            folder.checkpoint(1)

    @pytest.mark.parametrize("epochs", [(1, 2), (0, 3), (0, -1), ("0", "x"), (0, "01"), ()])
    def test_impossible_epochs(self, folder, epochs):
        small = {f"{epoch}/conv_layer_1/bias": np.zeros(64, np.float16) for epoch in epochs}
        save(folder.path / "checkpoints.npz", small)
        with pytest.raises(ModelError, match=r"mine/checkpoints\.npz is damaged"):
            folder.checkpoint_epochs()

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
        with pytest.raises(ModelError, match=r"checkpoints\.npz is damaged .*--recipe mine"):
            folder.checkpoint(0)

    def test_missing(self, folder):
        (folder.path / "checkpoints.npz").unlink()
        with pytest.raises(ModelError, match=r"checkpoints\.npz is missing"):
            folder.checkpoint_epochs()


class TestArchives:
    """What no archive of arrays may do, whichever of the two it is."""

    def assert_refused(self, folder, content):
        (folder.path / "checkpoints.npz").write_bytes(content)
        with pytest.raises(ModelError, match=r"mine/checkpoints\.npz is damaged"):
            folder.checkpoint_epochs()

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
        return folder.measure(Split(images, np.arange(20, dtype=np.uint8) % 10))

    def test_none_where_there_are_none(self, folder):
        assert folder.insights() is None

    def test_round_trip(self, folder, insights):
        before = set(folder.path.iterdir())
        folder.write_insights(insights)
        assert set(folder.path.iterdir()) - before == {folder.path / "insights.npz"}
        read = folder.insights()
        np.testing.assert_array_equal(read.probabilities, insights.probabilities)
        assert list(read.class_means) == list(insights.class_means)
        assert not read.probabilities.flags.writeable
        assert len(read.epoch_accuracy) == len(folder.checkpoint_epochs())

    def test_of_another_model(self, folder, insights):
        folder.write_insights(insights)
        with zipfile.ZipFile(folder.path / "model.keras", "a") as archive:
            archive.comment = b"another"
        with pytest.raises(ModelError, match=r"insights\.npz is damaged .*core\.insights"):
            folder.insights()

    def test_of_another_network(self, folder, insights):
        folder.write_insights(replace(insights, class_means={}))
        with pytest.raises(ModelError, match=r"class_means/conv_layer_1 is missing"):
            folder.insights()

    def test_damaged(self, folder):
        (folder.path / "insights.npz").write_bytes(b"no zip")
        with pytest.raises(ModelError, match=r"insights\.npz is damaged .*core\.insights"):
            folder.insights()


class TestCard:
    def test_reads(self, folder):
        assert folder.card() == "# Mine\n"

    def test_missing(self, folder):
        (folder.path / "card.md").unlink()
        with pytest.raises(ModelError, match=r"card\.md is missing"):
            folder.card()

    def test_damaged(self, folder):
        (folder.path / "card.md").write_bytes(b"\xff")
        with pytest.raises(ModelError, match=r"card\.md is damaged"):
            folder.card()


def test_remedies_name_the_repositorys_folders_briefly():
    with pytest.raises(ModelError, match=r"^assets/models/none/model\.keras is missing"):
        ModelFolder(MODELS_DIR / "none").network()
