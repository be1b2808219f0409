"""Files that are damaged, hostile or beyond what is supported: each gets its sentence."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from core.network import ModelError, Network, keras_file

# Keras turns TensorFlow's arrays into NumPy's in a way that NumPy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

KERNEL = "layers/conv2d/vars/0"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file as Keras writes it, with optimizer state, that the tests below damage."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Rescaling(2.0, name="scale"),
            layers.ReLU(name="rectify"),
            layers.Flatten(name="flat"),
            layers.Dense(3, activation="softmax", name="dense"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path_factory.mktemp("sound") / "sound.keras"
    model.save(path)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def with_config(sound: Path, path: Path, change: Callable[[Any], object]) -> Path:
    contents = members(sound)
    config = json.loads(contents["config.json"])
    change(config)
    contents["config.json"] = json.dumps(config).encode()
    return rewritten(path, contents)


def with_weights(sound: Path, path: Path, change: Callable[[h5py.File], object]) -> Path:
    contents = members(sound)
    buffer = io.BytesIO(contents["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        change(file)
    contents["model.weights.h5"] = buffer.getvalue()
    return rewritten(path, contents)


def sentence(path: Path) -> str:
    """What the person who chose the file reads: a single sentence that starts with its name."""
    with pytest.raises(ModelError) as caught:
        Network.load(path)
    message = str(caught.value)
    assert message.startswith(path.name)
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 400
    return message


def test_a_sound_file_opens_with_its_optimizer_state(sound: Path) -> None:
    network = Network.load(sound)
    assert [layer.name for layer in network.layers] == [
        *("conv", "norm", "pool", "scale", "rectify", "flat", "dense")
    ]
    assert list(network.layer("norm").weights) == [
        *("gamma", "beta", "moving_mean", "moving_variance")
    ]
    assert network.layer("norm").parameter_formula == "2 + 2 + 2 + 2 = 8"


# Archives


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in sentence(tmp_path / "none.keras")


def test_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "text.keras"
    path.write_text("not a model")
    assert "not a zip archive" in sentence(path)


def test_truncated_zip(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.keras"
    path.write_bytes(sound.read_bytes()[:-100])
    assert "damaged" in sentence(path)


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_missing_member(sound: Path, tmp_path: Path, member: str) -> None:
    contents = members(sound)
    del contents[member]
    assert f"holds no {member}" in sentence(rewritten(tmp_path / "less.keras", contents))


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_flipped_bit(sound: Path, tmp_path: Path, member: str) -> None:
    path = tmp_path / "flipped.keras"
    content = bytearray(sound.read_bytes())
    content[content.index(members(sound)[member]) + 50] ^= 1  # Keras stores without compression
    path.write_bytes(content)
    assert f"its {member} cannot be unpacked" in sentence(path)


@pytest.mark.parametrize(
    ("member", "limit"),
    [("config.json", "MAX_CONFIG_BYTES"), ("model.weights.h5", "MAX_WEIGHTS_BYTES")],
)
def test_zip_bomb_is_refused_by_its_declared_size(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, limit: str
) -> None:
    monkeypatch.setattr(keras_file, limit, 100_000)
    contents = members(sound) | {member: bytes(100_001)}
    path = rewritten(tmp_path / "bomb.keras", contents)
    assert path.stat().st_size < 60_000
    assert f"{member} unpacks to 100,001 bytes, more than the 100,000 allowed" in sentence(path)


def test_a_member_never_unpacks_to_more_than_it_declares(sound: Path, tmp_path: Path) -> None:
    contents = members(sound) | {"config.json": bytes(10_000)}
    path = rewritten(tmp_path / "liar.keras", contents)
    # The declared size stands in the archive's directory and before the member.
    lied = path.read_bytes().replace((10_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(lied)
    assert "its config.json cannot be unpacked" in sentence(path)


# Configurations


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_invalid_json(sound: Path, tmp_path: Path, text: str) -> None:
    path = rewritten(tmp_path / "bad.keras", members(sound) | {"config.json": text.encode()})
    assert "config.json is not valid JSON" in sentence(path)


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "null", "{}", '{"class_name": "Sequential", "module": "keras", "config": null}'),
        '{"class_name": "Sequential", "module": "keras", "config": {"layers": [{}]}}',
        '{"class_name": "Functional", "module": "keras", "config": {"layers": []}}',
    ],
)
def test_json_that_is_no_model(sound: Path, tmp_path: Path, text: str) -> None:
    path = rewritten(tmp_path / "other.keras", members(sound) | {"config.json": text.encode()})
    assert "config.json does not describe a Keras model" in sentence(path)


CONV, NORM, POOL, SCALE, RECTIFY, FLAT, DENSE = range(1, 8)
HUGE = 10**400


@pytest.mark.parametrize(
    ("layer", "key", "value", "named"),
    [
        (CONV, "groups", 2, "groups=2"),
        (CONV, "groups", True, "groups=true"),
        (CONV, "dilation_rate", [2, 2], r"dilation_rate=\[2, 2\]"),
        (CONV, "data_format", "channels_first", 'data_format="channels_first"'),
        (CONV, "padding", "causal", 'padding="causal"'),
        (CONV, "activation", "gelu", 'activation="gelu"'),
        (CONV, "activation", {"class_name": "function", "config": "mine"}, "activation=.*mine"),
        (CONV, "kernel_size", [9, 9], r"kernel_size=\[9, 9\].*fits into 8×8"),
        (CONV, "kernel_size", 3, "kernel_size=3"),
        (CONV, "strides", [0, 1], r"strides=\[0, 1\]"),
        (CONV, "filters", 2.5, "filters=2.5"),
        pytest.param(CONV, "filters", HUGE, "filters=1000.*a positive integer", id="huge filters"),
        (CONV, "filters", 4, r"kernel of shape \(3, 3, 1, 2\).*asks for \(3, 3, 1, 4\)"),
        (CONV, "use_bias", False, "2 weights.*asks for 1"),
        (CONV, "lora_rank", 4, "lora_rank=4"),
        (CONV, "dtype", "bfloat16", 'dtype="bfloat16"'),
        (CONV, "dtype", {"class_name": "QuantizedDTypePolicy", "config": {}}, "dtype=.*Quantized"),
        (NORM, "axis", 1, "axis=1"),
        (NORM, "epsilon", -1, "epsilon=-1"),
        pytest.param(NORM, "epsilon", HUGE, "epsilon=1000", id="huge epsilon"),
        (NORM, "renorm", True, "renorm=true"),
        (POOL, "data_format", "channels_first", 'data_format="channels_first"'),
        (POOL, "pool_size", [7, 2], r"pool_size=\[7, 2\].*fits into 6×6"),
        (SCALE, "scale", [1, 2, 3], r"scale=\[1, 2, 3\]"),
        (SCALE, "scale", "much", 'scale="much"'),
        (SCALE, "offset", None, "offset=null"),
        pytest.param(SCALE, "offset", HUGE, "offset=1000", id="huge offset"),
        (RECTIFY, "threshold", -1, "threshold=-1"),
        (RECTIFY, "max_value", float("nan"), "max_value=NaN"),
        (FLAT, "data_format", "channels_first", 'data_format="channels_first"'),
        (DENSE, "units", 0, "units=0"),
        (DENSE, "units", 2**30, "kernel of shape"),
        (DENSE, "quantization_config", {"mode": "int8"}, "quantization_config=.*int8"),
        (DENSE, "name", "conv", '2 layers of the name "conv"'),
    ],
)
def test_property_beyond_what_is_supported(
    sound: Path, tmp_path: Path, layer: int, key: str, value: object, named: str
) -> None:
    names: list[str] = []

    def change(config: Any) -> None:
        entry = config["config"]["layers"][layer]
        names.append(entry["config"]["name"])
        entry["config"][key] = value

    message = sentence(with_config(sound, tmp_path / "model.keras", change))
    assert re.search(named, message)
    if key != "name":
        assert f'the layer "{names[0]}"' in message


@pytest.mark.parametrize("shape", [None, [None, 784], [None, None, None, 1], [None, 28, 28, 0]])
def test_input_without_a_fixed_shape(sound: Path, tmp_path: Path, shape: object) -> None:
    def change(config: Any) -> None:
        config["config"]["layers"][0]["config"]["batch_shape"] = shape

    assert f"batch_shape={json.dumps(shape)}" in sentence(
        with_config(sound, tmp_path / "model.keras", change)
    )


def test_giant_image_is_refused_before_anything_is_computed(sound: Path, tmp_path: Path) -> None:
    def change(config: Any) -> None:
        config["config"]["layers"][0]["config"]["batch_shape"] = [None, 2**20, 2**20, 1]

    message = sentence(with_config(sound, tmp_path / "model.keras", change))
    assert '"conv"' in message
    assert "more than the 33,554,432 allowed" in message


def test_pooling_of_something_flat(sound: Path, tmp_path: Path) -> None:
    def change(config: Any) -> None:
        entries = config["config"]["layers"]
        entries[POOL], entries[FLAT] = entries[FLAT], entries[POOL]

    message = sentence(with_config(sound, tmp_path / "model.keras", change))
    assert '"pool" (MaxPooling2D) needs an input of height, width and channels' in message


def test_deeply_nested_value(sound: Path, tmp_path: Path) -> None:
    for depth in (100, 800, 900, 940, 950, 960, 970, 980, 990, 2000):
        contents = members(sound)
        nested = b'"filters": ' + b"[" * depth + b"]" * depth
        contents["config.json"] = contents["config.json"].replace(b'"filters": 2', nested, 1)
        message = sentence(rewritten(tmp_path / "model.keras", contents))
        assert "filters=" in message or "not valid JSON" in message


def test_no_layers(sound: Path, tmp_path: Path) -> None:
    def change(config: Any) -> None:
        del config["config"]["layers"][1:]

    assert "has no layers" in sentence(with_config(sound, tmp_path / "model.keras", change))


# Models that Keras writes and that are refused


@keras.saving.register_keras_serializable("mine")
class Conv2D(layers.Conv2D):
    """A stranger's layer that borrows the name of a known one."""


@keras.saving.register_keras_serializable("mine")
class Mine(keras.Sequential):
    """A stranger's model."""


def chain(*inner: keras.layers.Layer, **options: Any) -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 1)), *inner], **options)


def branches() -> keras.Model:
    source = keras.Input((8, 8, 1))
    left, right = (
        layers.Dropout(0.1, name="left")(source),
        layers.Dropout(0.1, name="right")(source),
    )
    return keras.Model(source, layers.Add(name="sum")([left, right]))


def residual() -> keras.Model:
    source = keras.Input((8, 8, 1))
    left = layers.Dropout(0.1, name="left")(source)
    return keras.Model(source, layers.Add(name="sum")([left, source]))


def shared() -> keras.Model:
    source = keras.Input((8, 8, 1))
    drop = layers.Dropout(0.1, name="twice")
    return keras.Model(source, drop(drop(source)))


def two_outputs() -> keras.Model:
    source = keras.Input((8, 8, 1))
    first = layers.Dropout(0.1, name="first")(source)
    return keras.Model(source, [first, layers.Dropout(0.1, name="last")(first)])


def two_inputs() -> keras.Model:
    sources = [keras.Input((8, 8, 1), name="one"), keras.Input((8, 8, 1), name="two")]
    return keras.Model(sources, layers.Add(name="sum")(sources))


def dropout_while_serving() -> keras.Model:
    source = keras.Input((8, 8, 1))
    return keras.Model(source, layers.Dropout(0.1, name="drop")(source, training=True))


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built:UserWarning")
@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: chain(layers.Conv2D(2, 3, groups=1, dilation_rate=2, name="a")), '"a".*dilation'),
        (
            lambda: chain(layers.Conv2D(2, 3, dtype="mixed_bfloat16", name="a")),
            '"a".*mixed_bfloat16',
        ),
        (lambda: chain(layers.Conv2D(2, 3, dtype="float64", name="a")), '"a".*float64'),
        (lambda: chain(layers.Conv2D(2, 3, activation="elu", name="a")), '"a".*activation="elu"'),
        (
            lambda: chain(layers.Lambda(lambda x: x + 1, name="a")),
            r'"a" \(Lambda\) cannot be opened',
        ),
        (lambda: chain(layers.LeakyReLU(name="a")), r'"a" \(LeakyReLU\) cannot be opened'),
        (lambda: chain(chain(layers.Flatten(), name="a")), r'"a" \(Sequential\) cannot be opened'),
        (lambda: chain(layers.Softmax(axis=1, name="a")), '"a".*axis=1'),
        (lambda: chain(Conv2D(2, 3, name="a")), '"a" .*custom object'),
        (
            lambda: Mine([keras.Input((8, 8, 1)), layers.Flatten()]),
            'a "Mine" model; only Sequential',
        ),
        (lambda: keras.Sequential([layers.Flatten(name="a")]), "batch_shape=null"),
        (branches, '"right".*inbound_nodes from "input_layer.*branches'),
        (residual, '"sum".*inbound_nodes with several inputs; branches'),
        (shared, '"twice".*has 2 inbound_nodes'),
        (two_outputs, r'"last" as its one output.*output_layers=.*"first"'),
        (two_inputs, '"sum".*several inputs'),
        (dropout_while_serving, '"drop".*called with training=true'),
    ],
)
def test_unsupported_model(tmp_path: Path, build: Callable[[], keras.Model], words: str) -> None:
    keras.utils.clear_session()
    path = tmp_path / "model.keras"
    build().save(path)
    assert re.search(words, sentence(path))


# Weights


def replaced(name: str, value: object, **options: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=value, **options)

    return change


def linked(name: str, link: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = link

    return change


def never_written(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (3, 3, 1, 2), np.float32)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 3, 1, 2), np.float32)
    layout[...] = h5py.VirtualSource("other.h5", "x", (3, 3, 1, 2))
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def external(file: h5py.File) -> None:
    del file[KERNEL]
    outside = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(KERNEL, (3, 3, 1, 2), np.float32, external=outside)


def negative_variance(file: h5py.File) -> None:
    file["layers/batch_normalization/vars/3"][0] = -1


def group_for_array(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_group(KERNEL)


def array_for_group(file: h5py.File) -> None:
    del file["layers/conv2d"]
    file["layers/conv2d"] = 1.0


kernel = np.zeros((3, 3, 1, 2), np.float32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.pop("layers/conv2d"), "layers/conv2d is not in model.weights.h5"),
        (lambda file: file.pop("layers"), "/layers is not in model.weights.h5"),
        (lambda file: file.pop(KERNEL), "has 1 weights.*asks for 2"),
        (lambda file: file.move(KERNEL, KERNEL[:-1] + "7"), "layers/conv2d/vars/0 is not in"),
        (
            lambda file: file.create_dataset("layers/conv2d/vars/2", data=0.0),
            "has 3 weights.*asks for 2",
        ),
        (replaced(KERNEL, kernel[..., :1]), r"kernel of shape \(3, 3, 1, 1\).*\(3, 3, 1, 2\)"),
        (replaced(KERNEL, kernel.astype(np.float16)), "kernel of type float16"),
        (replaced(KERNEL, kernel.astype(np.int8)), "kernel of type int8"),
        (replaced(KERNEL, kernel + np.inf), "kernel with values that are not finite"),
        (replaced(KERNEL, kernel, compression="gzip"), "kernel that declares more data"),
        (never_written, "kernel that declares more data"),
        (linked(KERNEL, h5py.ExternalLink("other.h5", "/x")), "behind a ExternalLink"),
        (linked("layers/conv2d", h5py.ExternalLink("other.h5", "/")), "behind a ExternalLink"),
        (linked(KERNEL, h5py.SoftLink("/layers/conv2d/vars/1")), "behind a SoftLink"),
        (virtual, "kernel that is stored in another file"),
        (external, "kernel that is stored in another file"),
        (group_for_array, "kernel that is not an array"),
        (array_for_group, "conv2d is not a group"),
        (negative_variance, '"norm" .*moving_variance that is not positive'),
    ],
)
def test_weights_that_cannot_be_used(
    sound: Path, tmp_path: Path, change: Callable[[h5py.File], object], words: str
) -> None:
    message = sentence(with_weights(sound, tmp_path / "model.keras", change))
    assert re.search(words, message)
    assert '"conv"' in message or '"norm"' in message


def test_weights_that_are_no_hdf5(sound: Path, tmp_path: Path) -> None:
    contents = members(sound) | {"model.weights.h5": b"no HDF5"}
    assert "its model.weights.h5 is not HDF5" in sentence(rewritten(tmp_path / "m.keras", contents))


def test_one_array_cannot_serve_for_more_than_the_file_holds(tmp_path: Path) -> None:
    # Hard links let any number of layers share an array, each of which would take its memory again.
    path = tmp_path / "model.keras"
    chain(layers.Flatten(), *(layers.Dense(64) for _ in range(9))).save(path)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((64, 64), np.float32)
        file["layers/dense/vars/1"] = np.zeros(64, np.float32)
        for index in range(1, 9):
            file[f"layers/dense_{index}"] = file["layers/dense"]
    rewritten(path, members(path) | {"model.weights.h5": buffer.getvalue()})
    assert "declares more data than the file holds" in sentence(path)


def test_layers_of_a_kind_keep_their_weights_apart(tmp_path: Path) -> None:
    # The names say something else than the order does, by which Keras names the groups.
    inner = [layers.Dense(2, name=name) for name in ("dense_2", "dense", "dense_1")]
    model = chain(layers.Flatten(), *inner)
    model.save(tmp_path / "model.keras")
    network = Network.load(tmp_path / "model.keras")
    for layer in inner:
        np.testing.assert_array_equal(
            network.layer(layer.name).weights["kernel"], layer.kernel.numpy()
        )


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), member=st.sampled_from(["archive", "config.json", "model.weights.h5"]))
def test_any_damage_is_a_model_error(
    sound: Path, tmp_path: Path, data: st.DataObject, member: str
) -> None:
    contents = members(sound)
    damaged = bytearray(sound.read_bytes() if member == "archive" else contents[member])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.keras"
    if member == "archive":
        path.write_bytes(damaged)
    else:
        rewritten(path, contents | {member: bytes(damaged)})
    try:
        network = Network.load(path)
    except ModelError:
        return
    outputs = network.predict(np.zeros((1, *network.input_shape), np.float32))
    assert outputs.shape == (1, *network.layers[-1].output_shape)
