"""The NumPy network is held to Keras, and its receptive fields to brute force."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.dataset import load_split
from core.network import (
    AveragePooling2D,
    Conv2D,
    Dense,
    Field,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    Network,
    ReLU,
    Slide,
    relu,
    sigmoid,
    softmax,
)
from tests.harness.architectures import Architecture, architectures

# Keras turns TensorFlow's arrays into NumPy's in a way that NumPy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

SHIPPED = sorted(Path("assets/models").glob("*/model.keras"))

TUTORIAL = Architecture(
    "sequential",
    (28, 28, 1),
    (
        ("Conv2D", {"filters": 64, "kernel_size": 3, "activation": "relu", "name": "conv_1"}),
        ("MaxPooling2D", {"pool_size": 2, "name": "pool_2"}),
        ("Conv2D", {"filters": 64, "kernel_size": 3, "activation": "relu", "name": "conv_3"}),
        ("MaxPooling2D", {"pool_size": 2, "name": "pool_4"}),
        ("Flatten", {"name": "flatten_5"}),
        ("Dense", {"units": 128, "activation": "relu", "name": "dense_6"}),
        ("Dense", {"units": 10, "activation": "softmax", "name": "dense_7"}),
    ),
    seed=0,
)


def keras_outputs(model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    """What Keras returns for each layer, its InputLayer left out."""
    layers = [layer for layer in model.layers if layer.__class__.__name__ != "InputLayer"]
    extractor = keras.Model(model.inputs[0], {layer.name: layer.output for layer in layers})
    outputs = extractor(images, training=False)
    return {layer.name: outputs[layer.name].numpy() for layer in layers}


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def tutorial_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tutorial") / "model.keras"
    TUTORIAL.build().save(path)
    return path


@pytest.fixture(scope="module")
def tutorial(tutorial_file: Path) -> Network:
    return Network.load(tutorial_file)


# Held to Keras


# Keras warns that a softmax over one channel is always 1, which a random architecture may contain.
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(architectures())
def test_every_output_of_any_architecture_is_keras_s(architecture: Architecture) -> None:
    keras.utils.clear_session()
    model = architecture.build()
    with TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        network = Network.load(f"{folder}/model.keras")
    images = architecture.images()

    before = network.pre_activations(images)
    for layer in network.layers:
        if isinstance(layer, ReLU) and layer.threshold:
            # Here a rounding error decides between 0 and the threshold.
            assume(np.abs(before[layer.name] - layer.threshold).min() > 1e-4)

    ours = network.activations(images)
    theirs = keras_outputs(model, images)
    assert list(ours) == [layer.name for layer in network.layers] == list(theirs)
    for layer in network.layers:
        assert ours[layer.name].shape[1:] == layer.output_shape
        assert_close(ours[layer.name], theirs[layer.name])
        if layer.activation is not None:
            assert_close(layer.activate(before[layer.name]), theirs[layer.name])
    assert_close(network.predict(images, batch_size=2), theirs[layer.name])
    assert network.parameter_count == model.count_params()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_networks_agree_with_keras_on_256_test_images(path: Path) -> None:
    assert_agrees_on_test_images(path)


def test_tutorial_s_architecture_agrees_with_keras_on_256_test_images(tutorial_file: Path) -> None:
    assert_agrees_on_test_images(tutorial_file)


def assert_agrees_on_test_images(path: Path) -> None:
    images = load_split("test").images[:256, :, :, np.newaxis] / np.float32(255)
    ours = Network.load(path).activations(images)
    theirs = keras_outputs(keras.models.load_model(path, compile=False), images)
    assert ours.keys() == theirs.keys()
    for name, output in ours.items():
        assert_close(output, theirs[name])


def test_logits_are_what_the_last_softmax_is_given(tutorial: Network) -> None:
    images = TUTORIAL.images()
    hidden = tutorial.activations(images)["dense_6"]
    weights = tutorial.layer("dense_7").weights
    logits = tutorial.pre_activations(images)["dense_7"]
    assert_close(logits, hidden @ weights["kernel"] + weights["bias"])
    assert_close(softmax(logits), tutorial.predict(images))


# Layers described


def test_layers_describe_themselves(tutorial: Network) -> None:
    assert [
        (layer.kind, layer.output_shape, layer.parameter_formula, layer.activation)
        for layer in tutorial.layers
    ] == [
        ("Conv2D", (26, 26, 64), "3·3·1·64 + 64 = 640", "relu"),
        ("MaxPooling2D", (13, 13, 64), "0", None),
        ("Conv2D", (11, 11, 64), "3·3·64·64 + 64 = 36928", "relu"),
        ("MaxPooling2D", (5, 5, 64), "0", None),
        ("Flatten", (1600,), "0", None),
        ("Dense", (128,), "1600·128 + 128 = 204928", "relu"),
        ("Dense", (10,), "128·10 + 10 = 1290", "softmax"),
    ]
    assert tutorial.parameter_count == 243_786
    assert tutorial.input_shape == (28, 28, 1)
    assert [layer.name for layer in tutorial.spatial_layers] == [
        *("conv_1", "pool_2", "conv_3", "pool_4")
    ]
    assert repr(tutorial.layers[0]) == "<Conv2D 'conv_1': (28, 28, 1) -> (26, 26, 64)>"
    for layer, following in zip(tutorial.layers, tutorial.layers[1:], strict=False):
        assert following.input_shape == layer.output_shape


def test_weights_are_read_only(tutorial: Network) -> None:
    layer = tutorial.layer("conv_1")
    assert layer.weights["kernel"].shape == (3, 3, 1, 64)
    with pytest.raises(ValueError, match="read-only"):
        layer.weights["kernel"][0] = 0
    assert tutorial.layer("pool_2").weights == {}


def test_unknown_layer_is_a_key_error(tutorial: Network) -> None:
    with pytest.raises(KeyError, match="conv_9"):
        tutorial.layer("conv_9")


# The forward pass


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((1, 28, 28, 1)), "float32 array, values in .0, 1., not float64"),
        (np.zeros((1, 28, 28, 1), np.uint8), "not uint8"),
        ([[0.0]], "not list"),
        (np.zeros((28, 28, 1), np.float32), r"\(n, 28, 28, 1\), not \(28, 28, 1\)"),
        (np.zeros((1, 28, 28, 3), np.float32), r"not \(1, 28, 28, 3\)"),
    ],
)
def test_unfit_images_are_refused(tutorial: Network, images: np.ndarray, sentence: str) -> None:
    for method in (tutorial.activations, tutorial.pre_activations, tutorial.predict):
        with pytest.raises(ValueError, match=sentence):
            method(images)
    with pytest.raises(ValueError, match=sentence):
        next(tutorial.batches(images))


def test_batches_and_predict_cut_where_they_like(tutorial: Network) -> None:
    images = TUTORIAL.images(7)
    whole = tutorial.activations(images)
    seen = 0
    for part, activations in tutorial.batches(images, batch_size=3):
        for name, output in activations.items():
            assert_close(output, whole[name][part])
        seen += len(output)
    assert seen == 7
    assert_close(tutorial.predict(images, batch_size=3), whole["dense_7"])


def test_no_images_give_no_predictions(tutorial: Network) -> None:
    none = np.zeros((0, 28, 28, 1), np.float32)
    assert tutorial.predict(none).shape == (0, 10)
    assert tutorial.activations(none)["conv_1"].shape == (0, 26, 26, 64)


def test_the_images_and_earlier_outputs_are_left_as_they_were() -> None:
    layers = [ReLU("relu", (2, 2, 1)), ReLU("capped", (2, 2, 1), max_value=0.5)]
    images = np.array([-1, 0.25, 0.75, 1], np.float32).reshape(1, 2, 2, 1)
    outputs = Network((2, 2, 1), layers).activations(images)
    assert images.ravel().tolist() == [-1, 0.25, 0.75, 1]
    assert outputs["relu"].ravel().tolist() == [0, 0.25, 0.75, 1]
    assert outputs["capped"].ravel().tolist() == [0, 0.25, 0.5, 0.5]


def test_extreme_values_do_not_overflow() -> None:
    extreme = np.array([-1e30, -100, 0, 100, 1e30], np.float32)
    assert sigmoid(extreme).tolist() == [0, 0, 0.5, 1, 1]
    assert softmax(extreme).tolist() == [0, 0, 0, 0, 1]
    assert not np.signbit(relu(extreme)).any()


def test_the_odd_pixel_of_same_padding_goes_behind() -> None:
    assert Slide.padded(28, window=2, stride=1, padding="same") == Slide(28, 2, 1, 0, 1)
    # With stride 2 the padding depends on the size: an even one needs a single cell for a 3-kernel.
    assert Slide.padded(28, window=3, stride=2, padding="same") == Slide(28, 3, 2, 0, 1)
    assert Slide.padded(27, window=3, stride=2, padding="same") == Slide(27, 3, 2, 1, 1)


# Receptive fields

windows = st.tuples(
    st.sampled_from([Conv2D, MaxPooling2D, AveragePooling2D]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
)


def stack(size: int, plans: list[tuple[type[Layer], int, int, str]]) -> Network:
    """Windows on top of each other, on a size × size image of one channel, then a flat head."""
    layers: list[Layer] = []
    for kind, kernel, stride, padding in plans:
        kernel = min(kernel, size)
        slide = Slide.padded(size, kernel, stride, padding)
        layer: Layer
        name, shape = f"layer_{len(layers)}", (size, size, 1)
        if kind is Conv2D:
            ones = np.ones((kernel, kernel, 1, 1), np.float32)
            layer = Conv2D(name, shape, slide, slide, {"kernel": ones})
        else:
            layer = kind(name, shape, slide, slide)
        layers.append(layer)
        size = slide.positions
    flat = Flatten("flatten", layers[-1].output_shape)
    ones = np.ones((*flat.output_shape, 2), np.float32)
    dense = Dense("dense", flat.output_shape, {"kernel": ones})
    return Network(layers[0].input_shape, [*layers, flat, dense])


@settings(deadline=None)
@given(st.integers(3, 11), st.lists(windows, min_size=1, max_size=4))
def test_a_unit_sees_its_receptive_field_and_nothing_else(size: int, plans: list) -> None:
    network = stack(size, plans)
    # An image for each pixel, in which that pixel alone is not 0: all weights are 1, so what it
    # reaches is not 0, either.
    images = np.zeros((size * size, size, size, 1), np.float32)
    images.reshape(size * size, -1)[np.diag_indices(size * size)] = 1
    outputs = network.activations(images)

    paddings = {padding for *_, padding in plans}
    gapless = all(kernel >= stride for _, kernel, stride, _ in plans)
    exact = paddings == {"valid"} or (paddings == {"same"} and gapless)
    for layer in network.layers:
        if layer.kind == "Flatten":  # each of its units is one value, not a mixture
            continue
        height, width = layer.output_shape[:2] if layer in network.spatial_layers else (1, 1)
        reached = (outputs[layer.name] > 0).reshape(size, size, height, width, -1)[..., 0]
        for row, col in np.ndindex(height, width):
            field = network.receptive_field(layer.name, row, col).clip(size, size)
            rows, cols = np.nonzero(reached[:, :, row, col])
            assert rows.size
            top, left = rows.min(), cols.min()
            seen = Field(top, left, rows.max() - top + 1, cols.max() - left + 1)
            if exact:
                assert seen == field
            else:
                assert field.top <= top
                assert field.left <= left
                assert seen.top + seen.height <= field.top + field.height
                assert seen.left + seen.width <= field.left + field.width


def test_receptive_fields_of_the_tutorial(tutorial: Network) -> None:
    assert tutorial.receptive_field("conv_1", 3, 4) == Field(3, 4, 3, 3)
    assert tutorial.receptive_field("pool_2", 3, 4) == Field(6, 8, 4, 4)
    assert tutorial.receptive_field("conv_3", 3, 4) == Field(6, 8, 8, 8)
    assert tutorial.receptive_field("pool_4", 3, 4) == Field(12, 16, 10, 10)
    # The second pooling drops the last row and column of its 11×11 input.
    assert tutorial.receptive_field("dense_7") == Field(0, 0, 26, 26)


def test_a_global_average_sees_the_whole_image() -> None:
    network = Network((6, 5, 2), [GlobalAveragePooling2D("mean", (6, 5, 2))])
    assert network.receptive_field("mean") == Field(0, 0, 6, 5)


def test_a_field_reaches_over_the_edge_until_it_is_clipped() -> None:
    slide = Slide.padded(6, 3, 1, "same")
    network = Network((6, 6, 1), [MaxPooling2D("pool", (6, 6, 1), slide, slide)])
    field = network.receptive_field("pool", 0, 5)
    assert field == Field(-1, 4, 3, 3)
    assert field.clip(6, 6) == Field(0, 4, 2, 2)
    assert Field(9, -9, 3, 3).clip(6, 6) == Field(9, 0, 0, 0)


@pytest.mark.parametrize(("layer", "row", "col"), [("conv_1", 26, 0), ("dense_6", 0, 1)])
def test_no_field_without_a_position(tutorial: Network, layer: str, row: int, col: int) -> None:
    with pytest.raises(IndexError, match=f"{layer} has .* positions"):
        tutorial.receptive_field(layer, row, col)


def test_field_sizes_follow_the_formula_of_araujo() -> None:
    # Size of the field: 1 + sum over layers of (kernel - 1) times the product of strides before.
    plans: list[tuple[type[Layer], int, int, str]]
    plans = [(Conv2D, 3, 2, "valid"), (MaxPooling2D, 2, 2, "valid"), (Conv2D, 2, 1, "valid")]
    network = stack(15, plans)
    size = 1 + (3 - 1) * 1 + (2 - 1) * 2 + (2 - 1) * 2 * 2
    assert network.receptive_field("layer_2", 0, 0) == Field(0, 0, size, size)
