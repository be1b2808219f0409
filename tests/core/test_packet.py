"""What the browser is sent, read as its JavaScript reads it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from core import cache, packet
from core.network import Array


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    data = data[4 + length :]
    arrays = {}
    for name, shape in header["arrays"].items():
        size = math.prod(shape)
        masked = np.zeros(shape, np.float32)
        bits = np.frombuffer(data, np.uint8, count=(size + 7) // 8)
        there = np.unpackbits(bits, count=size, bitorder="little").astype(bool)
        data = data[4 * ((size + 31) // 32) :]
        masked[there.reshape(shape)] = np.frombuffer(data, "<f4", count=there.sum())
        data = data[4 * there.sum() :]
        arrays[name] = masked
    assert data == b""
    return header, arrays


@pytest.fixture(params=cache.models().values(), ids=str)
def model(request: pytest.FixtureRequest) -> cache.Version:
    return request.param


def test_arrays_arrive_as_they_were() -> None:
    rng = np.random.default_rng(0)
    sent = {
        "a": rng.standard_normal((2, 3, 4), np.float32),
        "ä b": rng.standard_normal(5, np.float32)[::-1],
        "none": np.zeros((0, 3), np.float32),
        "zeros": np.zeros((3, 11), np.float32),
        "some zeros": rng.standard_normal((7, 9), np.float32).clip(0),
        "not finite": np.array([np.nan, 0, -np.inf, 1e-45], np.float32),
    }
    header, arrays = unpack(packet.pack({"title": "é"}, sent))
    assert header["title"] == "é"
    assert list(arrays) == list(sent)
    for name, array in sent.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_an_images_packet_leaves_out_what_the_browser_can_pick(model: cache.Version) -> None:
    header, arrays = unpack(cache.image_packet(model, 2000))
    assert header["kind"] == "image"
    assert list(arrays) == ["", "conv_layer_1", "conv_layer_3", "dense_layer_6", "dense_layer_7"]
    image = cache.split("test").images[2000]
    np.testing.assert_array_equal(arrays.pop("")[:, :, 0], image / np.float32(255))
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, cache.activations(model, 2000)[name])


def test_an_images_packet_is_small(model: cache.Version) -> None:
    sizes = [len(cache.image_packet(model, index)) for index in range(0, 10_000, 500)]
    assert max(sizes) < 150_000  # of the 300,000 that are allowed


def test_a_networks_packet(model: cache.Version) -> None:
    header, arrays = unpack(cache.network_packet(model, flat=True))
    network = cache.network(model)
    assert header["kind"] == "network"
    assert [layer["name"] for layer in header["layers"]] == [one.name for one in network.layers]
    assert header["layers"][0]["rows"] == {"size": 28, "kernel": 3, "stride": 1, "before": 0}
    assert sum(array.size for array in arrays.values()) == network.parameter_count
    np.testing.assert_array_equal(
        arrays["conv_layer_3/kernel"], network.layer("conv_layer_3").weights["kernel"]
    )
    assert {len(colours) for colours in header["palettes"].values()} == {256 * 6}
    other, of_maps = unpack(cache.network_packet(model, flat=False))
    assert other.pop("arrays").keys() == of_maps.keys()
    assert other == {name: value for name, value in header.items() if name != "arrays"} | {
        "key": other["key"]
    }
    assert other["key"] != header["key"]
    assert list(of_maps) == [name for name in arrays if name.startswith("conv")]


def test_versions_of_a_model_have_keys_of_their_own(model: cache.Version) -> None:
    later = cache.Version(model.folder, (*model.stamps[:-1], None))
    assert model.key != later.key
    assert cache.image_key(model, 1) != cache.image_key(model, 2)


def test_a_map_on_which_all_images_have_one_place() -> None:
    places, labels = np.full((3, 2), 5.0, np.float32), np.array([2, 0, 2], np.uint8)
    data = packet.map_packet(places, labels, labels, np.ones(3, np.float32), {"kind": "map"})
    length = int.from_bytes(data[:4], "little")
    assert json.loads(data[4 : 4 + length]) == {
        "kind": "map",
        "count": 3,
        "extent": [0, 0],
        "medians": [[0, 0], [0, 0]],
    }
    arrays = data[4 + length :]
    assert np.frombuffer(arrays, "<u2", 9).tolist() == [0] * 6 + [1000] * 3
    assert list(arrays[18:]) == [2, 0, 2, 2, 0, 2]
