"""The file `history.csv`."""

import io

import pandas as pd
import pytest

from core.network import ModelError
from tests.core.models.own_model import HISTORY


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
