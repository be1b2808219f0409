"""The networks that recipes build."""

import dataclasses

import numpy as np
import pytest

from core.dataset import to_input
from core.training.networks import build_model
from core.training.recipes import Recipe
from tests.core.training.small import TEST, VALIDATING

pytest.importorskip("tensorflow", reason="only training needs TensorFlow")


class TestNetworks:
    def test_what_serves_training_only_is_not_in_the_trained_network(self):
        recipe = Recipe("mine", "", 1, flips=True, shifts=True, dropout=(0.5, 0.5))
        kinds = [type(layer).__name__ for layer in build_model(recipe).layers]
        for kind in ("RandomFlip", "RandomTranslation", "Dropout"):
            assert kind not in kinds
            in_training = build_model(recipe, in_training=True).layers
            assert kind in [type(layer).__name__ for layer in in_training]

    def test_in_inference_both_give_the_same(self):
        recipe = dataclasses.replace(VALIDATING, shifts=True)
        twin = build_model(recipe, in_training=True)
        model = build_model(recipe)
        for layer in model.layers:
            layer.set_weights(twin.get_layer(layer.name).get_weights())
        images = to_input(TEST.images[:10])
        expected = twin.predict(images, verbose=0)
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)

    def test_shifts_move_whole_pixels_and_leave_black(self):
        import keras

        recipe = Recipe("mine", "", 1, shifts=True)
        keras.utils.set_random_seed(0)
        shift = build_model(recipe, in_training=True).layers[0]
        image = np.zeros((28, 28), np.float32)
        image[10, 12] = image[0, 0] = 1
        moved = np.asarray(shift(np.repeat(image[None, ..., None], 200, axis=0), training=True))
        places = {tuple(np.argwhere(one[5:20, 5:20, 0])[0] + 5) for one in moved}
        assert places == {(row, column) for row in (9, 10, 11) for column in (11, 12, 13)}
        assert set(np.unique(moved)) == {0, 1}
