"""A set of filters that are off, as a URL has it."""

import numpy as np
import pytest

from core.dataset import CLASS_NAMES
from core.evidence.ablation import parse, spell
from core.network import (
    Conv2D,
    Network,
    Slide,
)
from tests.core.evidence.small_networks import NETWORKS

CLASSES = len(CLASS_NAMES)
RNG = np.random.default_rng(0)


def test_a_set_of_filters_is_a_text_and_back():
    network = NETWORKS["the tutorial's order"]
    off = {"first": (0, 3), "second": (4,)}
    assert spell(off) == "first:0,3;second:4"
    assert parse(spell(off), network) == (off, ())
    assert parse("", network) == ({}, ())
    assert parse("second:4,4,0;first:3", network) == ({"first": (3,), "second": (0, 4)}, ())
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
        assert parse(text, network) == ({}, (wrong,))


@pytest.mark.parametrize(
    "name", ["conv_layer_1", "a;b", "a:b", "a,b", "a%3Bb", "-a", "$x$ &amp; www.evil", "é ü", "a b"]
)
def test_filters_of_a_layer_of_any_name_survive_the_address(name):
    kernel = np.zeros((1, 1, 1, 4), np.float32)
    layer = Conv2D(name, (3, 3, 1), Slide(3), Slide(3), {"kernel": kernel})
    network = Network((3, 3, 1), [layer])
    assert parse(spell({name: (0, 3)}), network) == ({name: (0, 3)}, ())


def test_an_address_of_the_usual_names_is_written_plainly():
    assert spell({"conv_layer_1": (3, 17), "conv_layer_3": (5,)}) == (
        "conv_layer_1:3,17;conv_layer_3:5"
    )
