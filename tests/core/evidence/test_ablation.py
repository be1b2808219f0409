"""Filters switched off, held to a forward pass with the filter's map set to 0."""

import json

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from core.dataset import CLASS_NAMES, Split, load_split, to_input
from core.evidence import ablation
from core.evidence.ablation import (
    EachFilterOff,
    Sample,
    Tally,
    convolutions,
    count,
    logits,
    main,
    parse,
    predict,
    spell,
    switched_off,
)
from core.evidence.statistics import wilson
from core.models.model_folder import MODELS_DIR, ModelFolder
from core.network import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Network,
    ReLU,
    Slide,
    Softmax,
)

RNG = np.random.default_rng(0)
CLASSES = len(CLASS_NAMES)


def weights(*shape):
    kernel = RNG.normal(0, 0.4, shape).astype(np.float32)
    return {"kernel": kernel, "bias": RNG.normal(0, 0.4, shape[-1]).astype(np.float32)}


def normalization(channels):
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return {name: RNG.uniform(0.5, 2, channels).astype(np.float32) for name in names}


def conv(name, shape, filters, padding="valid", stride=1, activation="relu"):
    rows, cols = (Slide.padded(size, 3, stride, padding) for size in shape[:2])
    return Conv2D(name, shape, rows, cols, weights(3, 3, shape[2], filters), activation)


def pool(kind, name, shape):
    rows, cols = (Slide.padded(size, 2, 2, "same") for size in shape[:2])
    return kind(name, shape, rows, cols)


def chain(*makers):
    """A network of 9×8 images; each maker takes its input's shape."""
    layers, shape = [], (9, 8, 1)
    for make in makers:
        layers.append(make(shape))
        shape = layers[-1].output_shape
    return Network((9, 8, 1), layers)


def dense(name, units, activation):
    return lambda shape: Dense(name, shape, weights(shape[-1], units), activation)


NETWORKS = {
    "the tutorial's order": chain(
        lambda shape: conv("first", shape, 4),
        lambda shape: pool(MaxPooling2D, "pool", shape),
        lambda shape: conv("second", shape, 5, padding="same", stride=2),
        lambda shape: Flatten("flat", shape),
        dense("dense", 6, "relu"),
        dense("last", CLASSES, "softmax"),
    ),
    "a constant that is not 0 behind it": chain(
        lambda shape: conv("first", shape, 3, activation="linear"),
        lambda shape: BatchNormalization("norm", shape, normalization(shape[-1]), 1e-3),
        lambda shape: ReLU("relu", shape),
        lambda shape: pool(AveragePooling2D, "pool", shape),
        lambda shape: conv("second", shape, 4, padding="same", activation="tanh"),
        lambda shape: Activation("sigmoid", shape, "sigmoid"),
        lambda shape: GlobalAveragePooling2D("mean", shape),
        dense("last", CLASSES, "softmax"),
    ),
    "a maximum behind what sums up": chain(
        lambda shape: conv("first", shape, 4),
        lambda shape: conv("second", shape, 5, padding="same", activation="tanh"),
        lambda shape: pool(MaxPooling2D, "pool", shape),
        lambda shape: conv("third", shape, 3, activation="softmax"),
        lambda shape: pool(MaxPooling2D, "pool again", shape),
        lambda shape: Flatten("flat", shape),
        dense("last", CLASSES, "softmax"),
    ),
    "no weights behind it": chain(
        lambda shape: conv("first", shape, 3),
        lambda shape: conv("second", shape, CLASSES, activation="linear"),
        lambda shape: GlobalAveragePooling2D("mean", shape),
        lambda shape: Softmax("softmax", shape),
    ),
    "channels that compete": chain(
        lambda shape: conv("first", shape, 3),
        lambda shape: Softmax("between", shape),
        lambda shape: Flatten("flat", shape),
        dense("last", CLASSES, "softmax"),
    ),
}


def without(network, images, name, index):
    """The logits of a whole forward pass with one map set to 0."""
    x = images
    for layer in network.layers[:-1]:
        x = layer(x).copy()
        if layer.name == name:
            x[..., index] = 0
    return network.layers[-1].pre_activation(x)


@pytest.mark.parametrize("max_values_together", [1, 200, 2**22])
@pytest.mark.parametrize("name", NETWORKS)
def test_each_filter_off_is_a_forward_pass_without_it(name, max_values_together, monkeypatch):
    monkeypatch.setattr(ablation, "_MAX_VALUES_TOGETHER", max_values_together)
    network = NETWORKS[name]
    images = RNG.random((7, 9, 8, 1), dtype=np.float32)
    outputs = network.activations(images)
    assert convolutions(network)
    for layer in convolutions(network):
        found = list(EachFilterOff(network, layer).logits(outputs[layer.name]))
        assert len(found) == layer.output_shape[-1]
        for index, logits_without in enumerate(found):
            expected = without(network, images, layer.name, index)
            np.testing.assert_allclose(logits_without, expected, rtol=1e-4, atol=1e-5)


def test_logits_are_what_the_softmax_gets():
    network = NETWORKS["the tutorial's order"]
    images = RNG.random((3, 9, 8, 1), dtype=np.float32)
    exponentials = np.exp(logits(network.layers, images))
    shares = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, network.predict(images), rtol=1e-5)


def test_a_tally_is_a_plain_count():
    rng = np.random.default_rng(1)
    # Few different values, so that many are equal.
    logits = rng.integers(0, 4, (3, 60, CLASSES)).astype(np.float32)
    labels = rng.permutation(np.arange(60) % CLASSES).astype(np.uint8)
    tally = Tally(3)
    for part in (slice(0, 13), slice(13, 60)):
        tally.add(logits[:, part], labels[part])
    for variant in range(3):
        right = [
            int(np.argmax(image)) == label
            for image, label in zip(logits[variant], labels, strict=True)
        ]
        assert tally.accuracy[variant] == pytest.approx(np.mean(right))
        for first in range(CLASSES):
            of_first = [hit for hit, label in zip(right, labels, strict=True) if label == first]
            assert tally.class_accuracy[variant, first] == pytest.approx(np.mean(of_first))
            for second in range(first + 1, CLASSES):
                pair = [
                    (first if image[first] >= image[second] else second) == label
                    for image, label in zip(logits[variant], labels, strict=True)
                    if label in (first, second)
                ]
                for found in (
                    tally.pair_accuracy[variant, first, second],
                    tally.pair_accuracy[variant, second, first],
                ):
                    assert found == pytest.approx(np.mean(pair))
    assert (tally.pair_accuracy[:, range(CLASSES), range(CLASSES)] == 1).all()


def several_off(network, images, off, constants):
    """The logits of a whole forward pass with maps set to constants."""
    x = images
    for layer in network.layers[:-1]:
        x = layer(x).copy()
        for index in off.get(layer.name, ()):
            x[..., index] = constants[layer.name][index]
    return network.layers[-1].pre_activation(x)


@pytest.mark.parametrize("to_mean", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_set_off_is_a_forward_pass_without_it(name, to_mean, monkeypatch):
    def to_input(pixels):
        return pixels[..., np.newaxis].astype(np.float32) / 255

    # The real one takes only images of Fashion-MNIST's size.
    monkeypatch.setattr(ablation, "to_input", to_input)
    network = NETWORKS[name]
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (70, 9, 8), dtype=np.uint8)
    labels = rng.permutation(np.arange(70) % CLASSES).astype(np.uint8)
    sample = Sample(network, Split(pixels, labels))
    images = to_input(pixels)
    outputs = network.activations(images)
    layers = convolutions(network)
    means = {layer.name: outputs[layer.name].mean(axis=(0, 1, 2)) for layer in layers}
    zeros = {name: np.zeros_like(mean) for name, mean in means.items()}
    for _ in range(10):
        off = {}
        for layer in layers:
            filters = layer.output_shape[-1]
            chosen = np.flatnonzero(rng.random(filters) < rng.choice([0, 0.3, 1]))
            if len(chosen):
                off[layer.name] = tuple(chosen.tolist())
        expected = several_off(network, images, off, means if to_mean else zeros)
        found = sample.logits(off, means if to_mean else None)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        changed = switched_off(network, off, means if to_mean else None)
        np.testing.assert_allclose(logits(changed.layers, images), expected, rtol=1e-4, atol=1e-5)
        for index in (0, 69):
            one = {layer: values[index] for layer, values in outputs.items()}
            shares = predict(network, one, off, means if to_mean else None)
            exponentials = np.exp(expected[index] - expected[index].max())
            np.testing.assert_allclose(shares, exponentials / exponentials.sum(), atol=1e-5)
        answers = sample.answers(off, means if to_mean else None)
        right = [int(np.argmax(one)) == label for one, label in zip(expected, labels, strict=True)]
        assert answers.counts == (7,) * CLASSES
        assert answers.accuracy == pytest.approx(np.mean(right))
        assert answers.interval == wilson(sum(right), 70)
        for label, share in enumerate(answers.class_accuracy):
            own = [hit for hit, one in zip(right, labels, strict=True) if one == label]
            assert share == pytest.approx(np.mean(own))
        assert count(changed, Split(pixels, labels), lambda *_: None) == answers


def test_a_set_of_filters_is_a_text_and_back():
    network = NETWORKS["the tutorial's order"]
    off = {"first": (0, 3), "second": (4,)}
    assert spell(off) == "first:0,3;second:4"
    assert parse(spell(off), network) == (off, [])
    assert parse("", network) == ({}, [])
    assert parse("second:4,4,0;first:3", network) == ({"first": (3,), "second": (0, 4)}, [])
    for text, wrong in {
        "first:4": "first:4",
        "first:-1": "first:-1",
        "first:1e0": "first:1e0",
        "first:²": "first:²",
        "flat:0": "flat:0",
        "first": "first",
        "first:": "first:",
        ":": "",
        f"first:{'9' * 5000}": f"first:{'9' * 5000}",
    }.items():
        assert parse(text, network) == ({}, [wrong])


@pytest.mark.parametrize(("name", "mean"), [("tutorial", []), ("tuned", ["--mean"])])
def test_the_command_counts_what_a_plain_forward_pass_counts(name, mean, capsys):
    folder = ModelFolder(MODELS_DIR / name)
    network, test = folder.read().network(), load_split("test")
    off = {"conv_layer_1": (3, 17), "conv_layer_3": (5,)}
    assert main([str(folder.path), spell(off), "--json", *mean]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shares = [line["progress"] for line in lines[:-1]]
    assert shares == sorted(shares)
    if mean:
        constants = folder.read().insights().means(test.labels)
    else:
        constants = {layer.name: np.zeros(64, np.float32) for layer in convolutions(network)}
    right = np.zeros(CLASSES, int)
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, 10_000, 50):
            part = slice(start, start + 50)
            images, labels = to_input(test.images[part]), test.labels[part]
            found = several_off(network, images, off, constants).argmax(axis=1)
            right += np.bincount(labels[found == labels], minlength=CLASSES)
    result = lines[-1]["result"]
    assert result["counts"] == [1000] * CLASSES
    # Another order of adding up may tip an image whose two best classes are as good as equal.
    assert np.abs(np.array(result["right"]) - right).sum() <= 2


def test_the_command_names_what_is_wrong(tmp_path, capsys):
    assert main([str(MODELS_DIR / "tutorial"), "conv_layer_3:64"]) == 1
    assert "tutorial has no filter conv_layer_3:64." in capsys.readouterr().err
    assert main([str(tmp_path), ""]) == 1
    assert "model.keras" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["conv_layer_1", "a;b", "a:b", "a,b", "a%3Bb", "-a", "$x$ &amp; www.evil", "é ü", "a b"]
)
def test_filters_of_a_layer_of_any_name_survive_the_address(name):
    kernel = np.zeros((1, 1, 1, 4), np.float32)
    layer = Conv2D(name, (3, 3, 1), Slide(3), Slide(3), {"kernel": kernel})
    network = Network((3, 3, 1), [layer])
    assert parse(spell({name: (0, 3)}), network) == ({name: (0, 3)}, [])


def test_an_address_of_the_usual_names_is_written_plainly():
    assert spell({"conv_layer_1": (3, 17), "conv_layer_3": (5,)}) == (
        "conv_layer_1:3,17;conv_layer_3:5"
    )
