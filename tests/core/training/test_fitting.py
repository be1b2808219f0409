"""The images and the targets that networks are fitted to."""

import dataclasses

import numpy as np
import pytest

from core.dataset import Split, hold_out, to_input
from core.training import fitting
from core.training.networks import build_model
from core.training.recipes import RECIPES, TEACHER
from tests.core.training.small import TEST, TRAIN, VALIDATING

pytest.importorskip("tensorflow", reason="only training needs TensorFlow")


def test_train_figures_were_taken_after_the_epoch_without_dropout():
    blind = dataclasses.replace(VALIDATING, dropout=(0.9, 0.9), epochs=1)
    part = Split(TRAIN.images[:100], TRAIN.labels[:100])
    fitted = fitting.fit(blind, TRAIN, validation=part)
    (row,) = fitted.history
    # The same 100 images, once as the first it learnt from, once as those held out.
    assert row["train_loss"] == row["validation_loss"]
    assert row["train_accuracy"] == row["validation_accuracy"]


class TestTeacher:
    TEACHER = dataclasses.replace(TEACHER, epochs=1)

    def test_learns_only_from_images_that_are_not_held_out(self, monkeypatch):
        fit = fitting.fit
        learnt = []

        def spy(recipe, split, **others):
            learnt.append((recipe.name, recipe.seed, split))
            return fit(recipe, split, **others)

        monkeypatch.setattr(fitting, "fit", spy)
        recipe = dataclasses.replace(VALIDATING, teacher=self.TEACHER, seed=3)
        fitting.fit_teacher(recipe, TRAIN)
        ((name, seed, split),) = learnt
        rest, _ = hold_out(TRAIN, fitting.VALIDATION_SHARE, fitting.VALIDATION_SEED)
        assert (name, seed) == ("teacher", 3)
        np.testing.assert_array_equal(split.images, rest.images)

    def test_soft_labels_are_the_mean_over_an_image_and_its_mirror_image(self):
        model = build_model(RECIPES["tutorial"])
        images = to_input(TEST.images[:20])
        mirrored = to_input(TEST.images[:20, :, ::-1])
        mean = (model.predict(images, verbose=0) + model.predict(mirrored, verbose=0)) / 2
        np.testing.assert_allclose(fitting.soft_labels(model, images), mean, atol=1e-6)

    class Liar:
        """Calls everything a bag."""

        def predict(self, images, **_options):
            return np.eye(10, dtype=np.float32)[np.full(len(images), 8)]

    def test_train_figures_are_of_the_labels(self):
        recipe = dataclasses.replace(VALIDATING, epochs=1)
        fitted = fitting.fit(recipe, TRAIN, teacher=self.Liar(), validation=TRAIN)
        (row,) = fitted.history
        assert row["train_loss"] == row["validation_loss"]
        assert row["train_accuracy"] == row["validation_accuracy"]

    @pytest.mark.parametrize(("trust", "expected"), [(1, 1), (0.7, 0.7), (0, 0)])
    def test_targets_mix_its_probabilities_and_the_labels_as_the_recipe_asks(self, trust, expected):
        shirts = Split(TRAIN.images, np.full_like(TRAIN.labels, 6))
        recipe = dataclasses.replace(
            VALIDATING, epochs=20, dropout=(0.0, 0.0), trust=trust, learning_rate=0.01
        )
        model = fitting.fit(recipe, shirts, teacher=self.Liar()).model
        mean = model.predict(to_input(TRAIN.images), verbose=0).mean(axis=0)
        assert mean[8] == pytest.approx(expected, abs=0.02)
        assert mean[6] == pytest.approx(1 - expected, abs=0.02)
