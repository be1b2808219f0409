"""A training writes a model folder, whole or not at all."""

import dataclasses

import numpy as np
import pytest

from core.dataset import to_input
from core.models import attempts
from core.models.history import HISTORY_COLUMNS
from core.models.model_files import FILES
from core.network import ModelError
from core.training import fitting, trainer
from core.training.errors import TrainingError
from core.training.networks import build_model
from core.training.recipes import RECIPES
from tests.core.training.small import SHORT, TEST, VALIDATING, train_into

pytest.importorskip("tensorflow", reason="only training needs TensorFlow")
pytestmark = pytest.mark.usefixtures("quick_embedding")


@pytest.fixture(scope="module")
def keras_model(trained):
    import keras

    model = keras.saving.load_model(trained.path / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class TestFolder:
    def test_holds_every_file_and_nothing_else_is_left(self, trained):
        assert {path.name for path in trained.path.iterdir()} == FILES
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
        assert tuple(history) == HISTORY_COLUMNS[0]
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


@pytest.fixture(scope="module")
def seen():
    """How many images each run of `validated` learnt from, was validated and tested on."""
    return []


@pytest.fixture(scope="module")
def validated(tmp_path_factory, seen):
    fit = fitting.fit

    def spy(recipe, split, **others):
        evaluated = [others.get(name) for name in ("validation", "test")]
        seen.append([len(part.labels) if part else 0 for part in (split, *evaluated)])
        return fit(recipe, split, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit", spy)
        patch.setattr(fitting, "VALIDATION_SHARE", 0.25)
        return train_into(tmp_path_factory.mktemp("models") / "mine", VALIDATING)


class TestValidation:
    """A recipe that records a validation curve first, then trains on everything."""

    @pytest.mark.usefixtures("validated")
    def test_the_test_images_are_kept_out_of_both_runs(self, seen):
        assert seen == [[150, 0, 0], [150, 50, 0], [200, 0, 0]]

    def test_the_history_is_of_the_run_with_images_held_out(self, validated):
        assert tuple(validated.read().history()) == HISTORY_COLUMNS[1]
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
        monkeypatch.setattr(trainer, "fit_recipe", lambda *_: pytest.fail("it was trained"))
        with pytest.raises(ModelError):
            train_into(output, VALIDATING)
        assert list(output.parent.iterdir()) == []

    def test_the_trained_network_has_the_seven_layers_only(self, validated):
        import keras

        model = keras.saving.load_model(validated.path / "model.keras")
        names = [layer.name for layer in model.layers]
        assert names == [layer.name for layer in build_model(RECIPES["tutorial"]).layers]
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        loss, accuracy = model.evaluate(to_input(TEST.images), TEST.labels, verbose=0)
        assert accuracy == pytest.approx(
            validated.read().insights().accuracy(TEST.labels), abs=1e-6
        )
        assert loss == pytest.approx(validated.read().insights().loss(TEST.labels), abs=1e-5)

    def test_checkpoints_are_of_the_model_itself(self, validated):
        assert tuple(validated.read().checkpoints()) == (0, 1, 2)
        assert set(validated.read().checkpoints()[1]) == set(validated.read().checkpoints()[2])

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


def test_the_loss_is_no_number(output):
    recipe = dataclasses.replace(SHORT, learning_rate=float("inf"))
    with pytest.raises(TrainingError, match="The loss became nan in epoch 1: lower"):
        train_into(output, recipe)
    assert list(output.parent.iterdir()) == []
