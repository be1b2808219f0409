import dataclasses
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from core import model_folder, training
from core.dataset import DatasetError, Split, to_input
from core.model_folder import ModelFolder
from core.training import RECIPES, TrainingError, train

pytest.importorskip("tensorflow", reason="only training needs TensorFlow")

# Keras 3.15 has TensorFlow's variables converted in a way that NumPy 2 would like to change.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
SHORT = dataclasses.replace(RECIPES["tutorial"], epochs=2)


def make_split(n, seed):
    """Images that can be learnt: each class has its own bright row."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
    images = rng.integers(0, 100, (n, 28, 28), dtype=np.uint8)
    images[np.arange(n), 2 * labels + 4] += 100
    return Split(images, labels)


TRAIN, TEST = make_split(200, seed=1), make_split(100, seed=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(SHORT, TRAIN, TEST, tmp_path_factory.mktemp("models") / "short")


@pytest.fixture(scope="module")
def keras_model(trained):
    import keras

    model = keras.saving.load_model(trained.path / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def output(tmp_path):
    return tmp_path / "models" / "new"


@pytest.fixture
def earlier(output):
    """A model folder that is already where the next one goes; it holds half of the files."""
    output.mkdir(parents=True)
    (output / "model.keras").write_bytes(b"earlier")
    return output


@pytest.fixture
def run(monkeypatch, output):
    """The command line on little data."""
    monkeypatch.setattr(training, "load_split", {"train": TRAIN, "test": TEST}.__getitem__)
    monkeypatch.setitem(RECIPES, "tutorial", SHORT)
    return lambda *options: training.main(
        ["--recipe", "tutorial", "--output", str(output), *options]
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestFolder:
    def test_holds_every_file_and_nothing_else_is_left(self, trained):
        assert {path.name for path in trained.path.iterdir()} == model_folder.FILES
        assert [path.name for path in trained.path.parent.iterdir()] == ["short"]
        assert trained.path.stat().st_mode == trained.path.parent.stat().st_mode | 0o055

    def test_plain_keras_opens_and_evaluates_the_model(self, trained, keras_model):
        assert [layer.name for layer in keras_model.layers] == [
            "conv_layer_1",
            "pool_layer_2",
            "conv_layer_3",
            "pool_layer_4",
            "flatten_layer_5",
            "dense_layer_6",
            "dense_layer_7",
        ]
        assert keras_model.input_shape == (None, 28, 28, 1)
        assert keras_model.count_params() == 243_786
        assert (trained.path / "model.keras").stat().st_size < 1_100_000
        loss, accuracy = keras_model.evaluate(to_input(TEST.images), TEST.labels, verbose=0)
        last = trained.history().iloc[-1]
        assert loss == pytest.approx(last["test_loss"], abs=1e-5)
        assert accuracy == pytest.approx(last["test_accuracy"], abs=1e-5)

    def test_numpy_computes_what_keras_computes(self, trained, keras_model):
        expected = keras_model.predict(to_input(TEST.images), verbose=0)
        predictions = trained.network().predict(to_input(TEST.images))
        np.testing.assert_allclose(predictions, expected, atol=1e-5)

    def test_history(self, trained):
        history = trained.history()
        assert tuple(history) == model_folder.HISTORY_COLUMNS[0]
        assert history["epoch"].tolist() == [1, 2]
        assert history["train_loss"][1] < history["train_loss"][0]

    def test_checkpoints(self, trained):
        assert trained.checkpoint_epochs() == (0, 1, 2)
        untrained, last = trained.checkpoint(0), trained.checkpoint(2)
        assert not untrained["conv_layer_1"]["bias"].any()
        for layer, weights in last.items():
            for name, weight in weights.items():
                assert not np.array_equal(untrained[layer][name], weight)

    def test_checkpoints_are_the_weights_after_their_epoch(self, trained, keras_model):
        for layer, weights in trained.checkpoint(1).items():
            keras_model.get_layer(layer).set_weights(list(weights.values()))
        loss, _ = keras_model.evaluate(to_input(TEST.images), TEST.labels, verbose=0)
        assert loss == pytest.approx(trained.history()["test_loss"][0], abs=1e-3)

    def test_insights(self, trained):
        accuracy = trained.insights().accuracy(TEST.labels)
        assert accuracy == pytest.approx(trained.history()["test_accuracy"].iloc[-1], abs=1e-5)

    def test_card(self, trained):
        card = trained.card()
        assert card.startswith("# tutorial\n")
        for fact in ("200 images to train on", "| seed | 0 |", "| 9 Ankle boot | 10 |", "Keras 3."):
            assert fact in card

    def test_the_same_seed_gives_the_same_model(self, trained, output):
        again = train(SHORT, TRAIN, TEST, output)
        for layer, weights in trained.checkpoint(2).items():
            for name, weight in weights.items():
                np.testing.assert_array_equal(again.checkpoint(2)[layer][name], weight)


@pytest.mark.parametrize(
    ("epochs", "kept"),
    [
        (1, [0]),
        (5, [0, 1, 2, 3, 4]),
        (14, list(range(14))),
        (40, [0, 3, 6, 9, 11, 14, 17, 20, 23, 26, 29, 31, 34, 37]),
    ],
)
def test_checkpoint_epochs_are_few_and_spread_evenly(epochs, kept):
    assert sorted(training.checkpoint_epochs(epochs)) == kept
    assert len(kept) * 243_786 * np.float16().nbytes < model_folder.MAX_CHECKPOINTS_BYTES


class TestReplacing:
    def test_an_existing_folder_is_refused_before_anything_is_done(
        self, earlier, monkeypatch, capsys
    ):
        monkeypatch.setattr(training, "load_split", lambda _name: pytest.fail("data were read"))
        assert training.main(["--recipe", "tutorial", "--output", str(earlier)]) == 1
        assert capsys.readouterr().err == (
            f"{earlier} exists: add --replace, or choose another folder (--output).\n"
        )
        assert contents(earlier) == {"model.keras": b"earlier"}

    def test_replace(self, earlier, run, trained):
        assert run("--replace", "--seed", "7") == 0
        assert set(contents(earlier)) == model_folder.FILES
        assert "| seed | 7 |" in ModelFolder(earlier).card()
        assert ModelFolder(earlier).history()["test_loss"][0] != trained.history()["test_loss"][0]
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


class TestFailures:
    @pytest.mark.parametrize("function", ["savez", "write_text"])
    def test_disk_full(self, earlier, run, monkeypatch, capsys, function):
        def fail(*_args, **_kwargs):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr({"savez": np, "write_text": Path}[function], function, fail)
        assert run("--replace") == 1
        last = capsys.readouterr().err.splitlines()[-1]
        assert last == (
            f"{earlier} could not be written (No space left on device): nothing was replaced."
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

    def test_the_loss_is_no_number(self, output):
        recipe = dataclasses.replace(SHORT, learning_rate=float("inf"))
        with pytest.raises(TrainingError, match="The loss became nan in epoch 1: lower"):
            train(recipe, TRAIN, TEST, output)
        assert list(output.parent.iterdir()) == []

    def test_training_data_are_missing(self, output, monkeypatch, capsys):
        def missing(_name):
            raise DatasetError("No folder holds them: download them.")

        monkeypatch.setattr(training, "load_split", missing)
        assert training.main(["--recipe", "tutorial", "--output", str(output)]) == 1
        assert capsys.readouterr().err == "No folder holds them: download them.\n"
        assert not output.parent.exists()

    def test_interrupted_in_the_middle(self, output, tmp_path):
        driver = tmp_path / "driver.py"
        driver.write_text(
            textwrap.dedent("""
                import dataclasses, sys
                from core import training
                from tests.core.test_training import SHORT, TEST, TRAIN
                training.load_split = {"train": TRAIN, "test": TEST}.__getitem__
                training.RECIPES["tutorial"] = dataclasses.replace(SHORT, epochs=100_000)
                sys.exit(training.main(["--recipe", "tutorial", "--output", sys.argv[1]]))
            """)
        )
        process = subprocess.Popen(
            [sys.executable, driver, output],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not output.parent.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert errors.splitlines()[-1] == "Interrupted: nothing was written, nothing was replaced."
        assert "Traceback" not in errors
        assert list(output.parent.iterdir()) == []

    def test_without_tensorflow(self, output, run, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "tensorflow", None)
        assert run() == 1
        assert "Training needs TensorFlow" in capsys.readouterr().err
        assert list(output.parent.iterdir()) == []


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
            training.main(arguments)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err

    def test_list(self, capsys):
        assert training.main(["--list"]) == 0
        assert capsys.readouterr().out.startswith("tutorial: the tutorial's network")


def test_tensorflow_is_imported_only_to_train():
    check = "import sys, core.training; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
