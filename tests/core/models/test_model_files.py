"""The contents of a model folder: damaged, missing and foreign files."""

import io
import os
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from core.dataset import Split
from core.models import model_files
from core.models.model_folder import ModelReplaced
from core.network import ModelError


class TestNetwork:
    def test_missing(self, folder):
        (folder.path / "model.keras").unlink()
        with pytest.raises(ModelError, match=r"mine/model\.keras is missing: put a \.keras file"):
            folder.read().network()

    def test_damaged(self, folder):
        (folder.path / "model.keras").write_bytes(b"no zip")
        with pytest.raises(ModelError, match=r"mine/model\.keras is not a \.keras file"):
            folder.read().network()


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
