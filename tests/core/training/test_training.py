import dataclasses
import errno
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.command_line.progress import ProgressBar
from core.dataset import DatasetError, Split, hold_out, to_input
from core.models import model_folder
from core.models.model_folder import ModelFolder
from core.models.staging import StagedFolder
from core.network import ModelError
from core.training import attempts, trainer
from core.training.recipe import Recipe
from core.training.trainer import RECIPES, TEACHER, TrainingError, train

pytest.importorskip("tensorflow", reason="only training needs TensorFlow")

# Keras 3.15 has TensorFlow's variables converted in a way that NumPy 2 would like to change.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("quick_embedding"),
]

ROOT = Path(__file__).resolve().parents[3]
SHORT = dataclasses.replace(RECIPES["tutorial"], epochs=2)


def make_split(n, seed):
    """Images that can be learnt: each class has its own bright row."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
    images = rng.integers(0, 100, (n, 28, 28), dtype=np.uint8)
    images[np.arange(n), 2 * labels + 4] += 100
    return Split(images, labels)


TRAIN, TEST = make_split(200, seed=1), make_split(100, seed=2)


def train_into(output, recipe, replace=False, progress=None):
    """Train, publish and measure, as the command does."""
    with StagedFolder(output, replace) as staged:
        folder = train(recipe, TRAIN, TEST, staged, progress=progress)
    folder.measure(TEST)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_into(tmp_path_factory.mktemp("models") / "short", SHORT)


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
    monkeypatch.setattr(trainer, "load_split", {"train": TRAIN, "test": TEST}.__getitem__)
    monkeypatch.setitem(RECIPES, "tutorial", SHORT)
    return lambda *options: trainer.main(
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
        last = trained.read().history().iloc[-1]
        assert loss == pytest.approx(last["test_loss"], abs=1e-5)
        assert accuracy == pytest.approx(last["test_accuracy"], abs=1e-5)

    def test_numpy_computes_what_keras_computes(self, trained, keras_model):
        expected = keras_model.predict(to_input(TEST.images), verbose=0)
        predictions = trained.read().network().predict(to_input(TEST.images))
        np.testing.assert_allclose(predictions, expected, atol=1e-5)

    def test_history(self, trained):
        history = trained.read().history()
        assert tuple(history) == model_folder.HISTORY_COLUMNS[0]
        assert history["epoch"].tolist() == [1, 2]
        assert history["train_loss"][1] < history["train_loss"][0]

    def test_checkpoints(self, trained):
        assert tuple(trained.read().checkpoints()) == (0, 1, 2)
        untrained, last = trained.read().checkpoints()[0], trained.read().checkpoints()[2]
        assert not untrained["conv_layer_1"]["bias"].any()
        for layer, weights in last.items():
            for name, weight in weights.items():
                assert not np.array_equal(untrained[layer][name], weight)

    def test_checkpoints_are_the_weights_after_their_epoch(self, trained, keras_model):
        for layer, weights in trained.read().checkpoints()[1].items():
            keras_model.get_layer(layer).set_weights(list(weights.values()))
        loss, _ = keras_model.evaluate(to_input(TEST.images), TEST.labels, verbose=0)
        assert loss == pytest.approx(trained.read().history()["test_loss"][0], abs=1e-3)

    def test_insights(self, trained):
        accuracy = trained.read().insights().accuracy(TEST.labels)
        assert accuracy == pytest.approx(
            trained.read().history()["test_accuracy"].iloc[-1], abs=1e-5
        )

    def test_card(self, trained):
        card = trained.read().card()
        assert card.startswith("# tutorial\n")
        for fact in ("200 images to train on", "| seed | 0 |", "| 9 Ankle boot | 10 |", "Keras 3."):
            assert fact in card

    def test_the_same_seed_gives_the_same_model(self, trained, output):
        again = train_into(output, SHORT)
        for layer, weights in trained.read().checkpoints()[2].items():
            for name, weight in weights.items():
                np.testing.assert_array_equal(again.read().checkpoints()[2][layer][name], weight)


VALIDATING = dataclasses.replace(
    RECIPES["tuned"],
    epochs=2,
    batch_size=32,
    learning_rate=0.003,
    teacher=dataclasses.replace(TEACHER, epochs=1),
)


@pytest.fixture(scope="module")
def seen():
    """How many images each run of `validated` learnt from, was validated and tested on."""
    return []


@pytest.fixture(scope="module")
def validated(tmp_path_factory, seen):
    fit = trainer.fit

    def spy(recipe, split, **others):
        evaluated = [others.get(name) for name in ("validation", "test")]
        seen.append([len(part.labels) if part else 0 for part in (split, *evaluated)])
        return fit(recipe, split, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "fit", spy)
        patch.setattr(trainer, "VALIDATION_SHARE", 0.25)
        return train_into(tmp_path_factory.mktemp("models") / "mine", VALIDATING)


class TestValidation:
    """A recipe that records a validation curve first, then trains on everything."""

    @pytest.mark.usefixtures("validated")
    def test_the_test_images_are_kept_out_of_both_runs(self, seen):
        assert seen == [[150, 0, 0], [150, 50, 0], [200, 0, 0]]

    def test_the_history_is_of_the_run_with_images_held_out(self, validated):
        assert tuple(validated.read().history()) == model_folder.HISTORY_COLUMNS[1]
        assert len(validated.read().history()) == 2

    def test_the_card_tells_what_was_done(self, validated):
        card = validated.read().card()
        assert "| images held out | as many of each class, drawn with seed 0 |" in card
        assert "| 150 training images, trained on these alone |" in card
        assert "| 50 others, in the same training |" in card
        accuracy = validated.read().insights().accuracy(TEST.labels)
        assert f"| {accuracy:.4f} |" in card.split("| test |")[1].splitlines()[0] + " |"

    def test_the_card_holds_every_attempt(self, validated):
        rows = validated.read().card().split("## What was tried")[1].split("## ")[0].splitlines()
        rows = [row for row in rows if row.startswith("| ")][2:]
        tried = attempts.load()
        assert len(rows) == len(tried)
        for row, attempt in zip(rows, tried, strict=True):
            assert attempt.change in row
            assert f"| {attempt.validation_accuracy:.4f} |" in row

    def test_a_damaged_list_of_attempts_stops_it_at_once(self, output, monkeypatch):
        def damaged():
            raise ModelError("attempts.csv is missing")

        monkeypatch.setattr(attempts, "load", damaged)
        monkeypatch.setattr(trainer, "_fit_all", lambda *_: pytest.fail("it was trained"))
        with pytest.raises(ModelError):
            train_into(output, VALIDATING)
        assert list(output.parent.iterdir()) == []

    def test_the_trained_network_has_the_seven_layers_only(self, validated):
        import keras

        model = keras.saving.load_model(validated.path / "model.keras")
        names = [layer.name for layer in model.layers]
        assert names == [layer.name for layer in trainer.build_model(RECIPES["tutorial"]).layers]
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        loss, accuracy = model.evaluate(to_input(TEST.images), TEST.labels, verbose=0)
        assert accuracy == pytest.approx(
            validated.read().insights().accuracy(TEST.labels), abs=1e-6
        )
        assert loss == pytest.approx(validated.read().insights().loss(TEST.labels), abs=1e-5)

    def test_checkpoints_are_of_the_model_itself(self, validated):
        assert tuple(validated.read().checkpoints()) == (0, 1, 2)
        assert set(validated.read().checkpoints()[1]) == set(validated.read().checkpoints()[2])

    def test_train_figures_were_taken_after_the_epoch_without_dropout(self):
        blind = dataclasses.replace(VALIDATING, dropout=(0.9, 0.9), epochs=1)
        part = Split(TRAIN.images[:100], TRAIN.labels[:100])
        fitted = trainer.fit(blind, TRAIN, validation=part)
        (row,) = fitted.history
        # The same 100 images, once as the first it learnt from, once as those held out.
        assert row["train_loss"] == row["validation_loss"]
        assert row["train_accuracy"] == row["validation_accuracy"]

    def test_progress_never_goes_back(self, output):
        reports = []
        recipe = dataclasses.replace(VALIDATING, epochs=1)
        train_into(output, recipe, progress=lambda *report: reports.append(report))
        shares = [share for share, _ in reports]
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert list(dict.fromkeys(words.split(",")[0] for _, words in reports)) == [
            "teacher",
            "images held out",
            "all images",
        ]


class TestTeacher:
    TEACHER = dataclasses.replace(TEACHER, epochs=1)

    def test_learns_only_from_images_that_are_not_held_out(self, monkeypatch):
        fit = trainer.fit
        learnt = []

        def spy(recipe, split, **others):
            learnt.append((recipe.name, recipe.seed, split))
            return fit(recipe, split, **others)

        monkeypatch.setattr(trainer, "fit", spy)
        recipe = dataclasses.replace(VALIDATING, teacher=self.TEACHER, seed=3)
        trainer.fit_teacher(recipe, TRAIN)
        ((name, seed, split),) = learnt
        rest, _ = hold_out(TRAIN, trainer.VALIDATION_SHARE, trainer.VALIDATION_SEED)
        assert (name, seed) == ("teacher", 3)
        np.testing.assert_array_equal(split.images, rest.images)

    def test_says_the_mean_of_what_it_says_of_an_image_and_its_mirror_image(self):
        model = trainer.build_model(RECIPES["tutorial"])
        images = to_input(TEST.images[:20])
        mirrored = to_input(TEST.images[:20, :, ::-1])
        mean = (model.predict(images, verbose=0) + model.predict(mirrored, verbose=0)) / 2
        np.testing.assert_allclose(trainer._soft_labels(model, images), mean, atol=1e-6)

    class Liar:
        """Calls everything a bag."""

        def predict(self, images, **_options):
            return np.eye(10, dtype=np.float32)[np.full(len(images), 8)]

    def test_train_figures_are_of_the_labels(self):
        recipe = dataclasses.replace(VALIDATING, epochs=1)
        fitted = trainer.fit(recipe, TRAIN, teacher=self.Liar(), validation=TRAIN)
        (row,) = fitted.history
        assert row["train_loss"] == row["validation_loss"]
        assert row["train_accuracy"] == row["validation_accuracy"]

    @pytest.mark.parametrize(("trust", "expected"), [(1, 1), (0.7, 0.7), (0, 0)])
    def test_it_is_trusted_as_far_as_the_recipe_says(self, trust, expected):
        shirts = Split(TRAIN.images, np.full_like(TRAIN.labels, 6))
        recipe = dataclasses.replace(
            VALIDATING, epochs=20, dropout=(0.0, 0.0), trust=trust, learning_rate=0.01
        )
        model = trainer.fit(recipe, shirts, teacher=self.Liar()).model
        mean = model.predict(to_input(TRAIN.images), verbose=0).mean(axis=0)
        assert mean[8] == pytest.approx(expected, abs=0.02)
        assert mean[6] == pytest.approx(1 - expected, abs=0.02)


class TestNetworks:
    def test_what_serves_training_only_is_not_in_the_trained_network(self):
        recipe = Recipe("mine", "", 1, flips=True, shifts=True, dropout=(0.5, 0.5))
        kinds = [type(layer).__name__ for layer in trainer.build_model(recipe).layers]
        for kind in ("RandomFlip", "RandomTranslation", "Dropout"):
            assert kind not in kinds
            in_training = trainer.build_model(recipe, in_training=True).layers
            assert kind in [type(layer).__name__ for layer in in_training]

    def test_in_inference_both_give_the_same(self):
        recipe = dataclasses.replace(VALIDATING, shifts=True)
        twin = trainer.build_model(recipe, in_training=True)
        model = trainer.build_model(recipe)
        for layer in model.layers:
            layer.set_weights(twin.get_layer(layer.name).get_weights())
        images = to_input(TEST.images[:10])
        expected = twin.predict(images, verbose=0)
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)

    def test_shifts_move_whole_pixels_and_leave_black(self):
        import keras

        recipe = Recipe("mine", "", 1, shifts=True)
        keras.utils.set_random_seed(0)
        shift = trainer.build_model(recipe, in_training=True).layers[0]
        image = np.zeros((28, 28), np.float32)
        image[10, 12] = image[0, 0] = 1
        moved = np.asarray(shift(np.repeat(image[None, ..., None], 200, axis=0), training=True))
        places = {tuple(np.argwhere(one[5:20, 5:20, 0])[0] + 5) for one in moved}
        assert places == {(row, column) for row in (9, 10, 11) for column in (11, 12, 13)}
        assert set(np.unique(moved)) == {0, 1}


class TestOptimizer:
    def test_muon_moves_every_direction_of_a_kernel_alike(self):
        recipe = Recipe("muon", "", epochs=1, optimizer="muon", learning_rate=0.01)
        model = trainer.build_model(RECIPES["tutorial"])
        optimizer = trainer._optimizer(recipe, steps=10)
        before = [weight.numpy() for weight in model.trainable_weights]
        rng = np.random.default_rng(0)
        optimizer.apply(
            [rng.standard_normal(w.shape, np.float32) for w in before], model.trainable_weights
        )
        for weight, old in zip(model.trainable_weights, before, strict=True):
            step = old - weight.numpy()
            if weight.name == "bias" or "dense_layer_7" in weight.path:
                # Adam's first step: the learning rate in each number.
                np.testing.assert_allclose(np.abs(step), 0.01, rtol=0.01)
            else:
                matrix = step.reshape(-1, step.shape[-1])
                size = 0.01 * 0.2 * math.sqrt(max(matrix.shape))
                stretches = np.linalg.svd(matrix, compute_uv=False) / size
                assert stretches.min() > 0.3
                assert stretches.max() < 1.3

    def test_the_learning_rate_rises_then_falls_to_0(self):
        recipe = Recipe("mine", "", epochs=1, learning_rate=0.5, warm_up=0.2)
        rate = trainer._optimizer(recipe, steps=100)._learning_rate
        rates = [float(rate(step)) for step in range(101)]
        assert rates[0] == 0
        assert max(rates) == rates[20] == pytest.approx(0.5)
        assert rates[60] == pytest.approx(0.25)
        assert rates[100] == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("name", ["adam", "muon"])
    def test_weight_decay_shrinks_kernels_and_no_biases(self, name):
        recipe = Recipe("mine", "", 1, optimizer=name, learning_rate=0.1, weight_decay=0.5)
        model = trainer.build_model(RECIPES["tutorial"])
        for layer in model.layers:
            if layer.weights:
                layer.bias.assign(layer.bias + 1)
        before = [weight.numpy() for weight in model.trainable_weights]
        optimizer = trainer._optimizer(recipe, steps=10)
        optimizer.apply([np.zeros_like(w) for w in before], model.trainable_weights)
        for weight, old in zip(model.trainable_weights, before, strict=True):
            kept = 1.0 if weight.name == "bias" else 1 - 0.1 * 0.5
            np.testing.assert_allclose(weight.numpy(), kept * old, rtol=1e-5, atol=1e-7)


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
    assert sorted(trainer.checkpoint_epochs(epochs)) == kept
    assert (
        len(kept) * 243_786 * np.float16().nbytes
        < model_folder.MAX_BYTES[model_folder.CHECKPOINTS_FILE]
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
        assert set(seen) == model_folder.FILES - {"insights.npz"}

    def test_what_libraries_log_stays_out_of_the_bar(self, run, monkeypatch, capfd):
        fit = trainer.fit

        def noisy(*args, **kwargs):
            os.write(2, b"I0000 one of TensorFlow's messages\n")
            return fit(*args, **kwargs)

        monkeypatch.setattr(trainer, "fit", noisy)
        assert run() == 0
        printed = capfd.readouterr().err
        assert "starting TensorFlow" in printed
        assert "TensorFlow's messages" not in printed


class TestReplacing:
    def test_an_existing_folder_is_refused_before_anything_is_done(
        self, earlier, monkeypatch, capsys
    ):
        monkeypatch.setattr(trainer, "load_split", lambda _name: pytest.fail("data were read"))
        assert trainer.main(["--recipe", "tutorial", "--output", str(earlier)]) == 1
        assert capsys.readouterr().err == (
            f"{earlier} exists: add --replace, or choose another folder (--output).\n"
        )
        assert contents(earlier) == {"model.keras": b"earlier"}

    def test_replace(self, earlier, run, trained):
        assert run("--replace", "--seed", "7") == 0
        assert set(contents(earlier)) == model_folder.FILES
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
        assert {path.name for path in earlier.iterdir()} == model_folder.FILES - {"insights.npz"}
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

    def test_the_loss_is_no_number(self, output):
        recipe = dataclasses.replace(SHORT, learning_rate=float("inf"))
        with pytest.raises(TrainingError, match="The loss became nan in epoch 1: lower"):
            train_into(output, recipe)
        assert list(output.parent.iterdir()) == []

    def test_training_data_are_missing(self, output, monkeypatch, capsys):
        def missing(_name):
            raise DatasetError("No folder holds them: download them.")

        monkeypatch.setattr(trainer, "load_split", missing)
        assert trainer.main(["--recipe", "tutorial", "--output", str(output)]) == 1
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
        assert set(contents(output)) == model_folder.FILES - {"insights.npz"}

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
            trainer.main(arguments)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err

    def test_list(self, capsys):
        assert trainer.main(["--list"]) == 0
        assert capsys.readouterr().out.startswith("tutorial: the tutorial's network")


def test_tensorflow_is_imported_only_to_train():
    check = "import sys, core.training; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
