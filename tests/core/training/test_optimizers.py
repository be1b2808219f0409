"""The optimizers that recipes name."""

import math

import numpy as np
import pytest

from core.training.networks import build_model
from core.training.optimizers import build_optimizer
from core.training.recipes import RECIPES, Recipe

pytest.importorskip("tensorflow", reason="only training needs TensorFlow")


class TestOptimizer:
    def test_muon_moves_every_direction_of_a_kernel_alike(self):
        recipe = Recipe("muon", "", epochs=1, optimizer="muon", learning_rate=0.01)
        model = build_model(RECIPES["tutorial"])
        optimizer = build_optimizer(recipe, steps=10)
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
        rate = build_optimizer(recipe, steps=100)._learning_rate
        rates = [float(rate(step)) for step in range(101)]
        assert rates[0] == 0
        assert max(rates) == rates[20] == pytest.approx(0.5)
        assert rates[60] == pytest.approx(0.25)
        assert rates[100] == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("name", ["adam", "muon"])
    def test_weight_decay_shrinks_kernels_and_no_biases(self, name):
        recipe = Recipe("mine", "", 1, optimizer=name, learning_rate=0.1, weight_decay=0.5)
        model = build_model(RECIPES["tutorial"])
        for layer in model.layers:
            if layer.weights:
                layer.bias.assign(layer.bias + 1)
        before = [weight.numpy() for weight in model.trainable_weights]
        optimizer = build_optimizer(recipe, steps=10)
        optimizer.apply([np.zeros_like(w) for w in before], model.trainable_weights)
        for weight, old in zip(model.trainable_weights, before, strict=True):
            kept = 1.0 if weight.name == "bias" else 1 - 0.1 * 0.5
            np.testing.assert_allclose(weight.numpy(), kept * old, rtol=1e-5, atol=1e-7)
