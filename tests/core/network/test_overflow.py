"""A network whose numbers overflow float32 is refused in one sentence, without NumPy's warnings.

pytest turns warnings into errors, so each test also asserts that there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from core.dataset import Split, load_split, to_input
from core.evidence import ablation_command, insights_command
from core.evidence.answers import count_answers
from core.evidence.measure import compute
from core.evidence.sample import Sample
from core.models.model_folder import MODELS_DIR
from core.network import BatchNormalization, Layer, ModelError, Network, ReLU, Rescaling

SENTENCE = 'The layer "{}" gives numbers beyond 10¹⁵ for an image, because .*: choose .*\\.'


def scaled(factors: dict[str, float]) -> Network:
    """The tutorial's network, the weights of some layers multiplied."""
    network = Network.load(MODELS_DIR / "tutorial" / "model.keras")
    weights = {
        layer.name: {
            name: weight * np.float32(factors.get(layer.name, 1))
            for name, weight in layer.weights.items()
        }
        for layer in network.layers
        if layer.weights
    }
    return network.with_weights(weights)


@pytest.fixture(scope="module")
def split() -> Split:
    test = load_split("test")
    return Split(test.images[:200], test.labels[:200])


FIRST = {
    "dense_layer_7": {"dense_layer_7": 1e38},
    "dense_layer_6": {"conv_layer_1": 1e12, "dense_layer_6": 1e12},
    "conv_layer_3": {"conv_layer_1": 1e14, "conv_layer_3": 1e30},
    "conv_layer_1": {"conv_layer_1": 1e30},
}
USES: dict[str, Callable[[Network, Split], object]] = {
    "activations": lambda network, split: network.activations(to_input(split.images[:1])),
    "pre-activations": lambda network, split: network.pre_activations(to_input(split.images[:1])),
    "predict": lambda network, split: network.predict(to_input(split.images)),
    "insights": compute,
    "count": lambda network, split: count_answers(network, split, lambda *_: None),
    "sample": Sample,
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("first", FIRST)
def test_the_first_layer_that_overflows_is_named(split: Split, first: str, use: str) -> None:
    with pytest.raises(ModelError) as refused:
        USES[use](scaled(FIRST[first]), split)
    assert re.fullmatch(SENTENCE.format(first), str(refused.value))


# Not the insights: they keep mean maps as float16.
@pytest.mark.parametrize("use", sorted(USES.keys() - {"insights"}))
def test_large_numbers_below_that_are_computed(split: Split, use: str) -> None:
    network = scaled({"conv_layer_1": 3e13})
    outputs = network.activations(to_input(split.images))
    largest = max(float(output.max()) for output in outputs.values())
    assert 1e14 < largest < 1e15
    USES[use](network, split)


CHANNELS = np.full(2, 3e38, np.float32)
SHAPE = (4, 4, 2)
LAYERS: list[Callable[[], Layer]] = [
    lambda: Rescaling("layer", SHAPE, CHANNELS, CHANNELS),
    lambda: ReLU("layer", SHAPE, negative_slope=3e38),
    lambda: BatchNormalization(
        "layer",
        SHAPE,
        {"gamma": CHANNELS, "moving_mean": CHANNELS, "moving_variance": np.zeros_like(CHANNELS)},
        epsilon=1e-3,
    ),
]


@pytest.mark.parametrize("make", LAYERS)
def test_other_layers_that_overflow_are_named(make: Callable[[], Layer]) -> None:
    with pytest.raises(ModelError, match=SENTENCE.format("layer")):
        make()(np.full((1, *SHAPE), -9, np.float32))


def test_the_commands_print_the_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(4, 3),
            keras.layers.Conv2D(
                4, 3, kernel_initializer=keras.initializers.Constant(1e30), name="second"
            ),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.save(tmp_path / "model.keras")
    assert insights_command.main([str(tmp_path)]) == 1
    assert ablation_command.main([str(tmp_path), "second:1"]) == 1
    lines = re.split(r"[\r\n]+", capsys.readouterr().err.strip())
    sentences = [line for line in lines if not re.match(r"\[.*\d% |\s*$", line)]
    assert len(sentences) == 2
    for line in sentences:
        assert re.fullmatch(SENTENCE.format("second"), line.strip())
    assert not (tmp_path / "insights.npz").exists()
