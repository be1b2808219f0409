"""Any address shows a sound page: random ones exactly the view they ask for, hostile ones too."""

import random
from typing import Any

import pytest

from core import ablation, cache
from core.dataset import CLASS_NAMES
from tests.pages.conftest import (
    COMPARED,
    PAGES,
    VIEWS,
    Open,
    asked,
    assert_sound,
    compared,
    explored,
    html,
    text,
)

LAYERS = ("conv_layer_1", "pool_layer_2", "conv_layer_3", "pool_layer_4")
RANDOM_ADDRESSES = 200  # for each page

HOSTILE: tuple[Any, ...] = (
    "",
    " ",
    "-1",
    "10000",
    "99999999",
    str(10**30),
    "1e30",
    "1e999",
    "-1e999",
    "inf",
    "-inf",
    "nan",
    "NaN",
    "12.5",
    "0x10",
    "1_000",
    "+5",
    "٣",
    "²",
    "½",
    "null",
    "None",
    "true",
    "undefined",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' OR 1=1 --",
    "../../../etc/passwd",
    "..%2f..%2f",
    "%00",
    "\x00",
    "\n",
    "a" * 5000,
    "{}",
    "[]",
    "[1,2]",
    "{{7*7}}",
    "$(id)",
    "`id`",
    "🙂",
    "conv_layer_9",
    "dense_layer_6",
    "tutorial/../tutorial",
    "0 T-shirt/top extra",
    ["1", "2"],
    ["", ""],
    ["nan", "inf"],
    ["conv_layer_1", "conv_layer_3"],
    ["<script>", "5"],
    ["1"] * 50,
)
PARAMETERS = (
    "model",
    "image",
    "layer",
    "filter",
    "scale",
    "panel",
    "part",
    "row",
    "col",
    "class_a",
    "class_b",
    "compare",
    "examples",
    "images_a",
    "images_b",
    "split",
    "class",
    "page",
    "train_image",
    "true",
    "predicted",
    "cells",
    "off",
    "off_gives",
    "epoch",
    "map",
    "colour",
)


def random_set(rng: random.Random) -> str:
    """Some filters that are off; seldom of the first convolution, which takes twenty times as
    long."""
    layers = ["conv_layer_1", "conv_layer_3"] if rng.random() < 0.2 else ["conv_layer_3"]
    chosen = (sorted(rng.sample(range(64), rng.choice((1, 3, 64)))) for _ in layers)
    return ";".join(
        f"{layer}:{','.join(map(str, filters))}"
        for layer, filters in zip(layers, chosen, strict=True)
    )


def random_address(rng: random.Random) -> dict[str, Any]:
    """A value for each of some parameters, each of which the app must take."""
    values: dict[str, Any] = {
        "image": rng.randrange(10_000),
        "layer": rng.choice(LAYERS),
        "filter": rng.randrange(64),
        "scale": rng.choice(("map", "shared")),
        "panel": rng.choice(("numbers", "top images", "epochs")),
        "part": rng.choice(("training", "mistakes", "epochs")),
        "row": rng.randrange(26),
        "col": rng.randrange(26),
        "class_a": rng.randrange(10),
        "class_b": rng.randrange(10),
        "compare": rng.choice(COMPARED),
        "examples": rng.randint(2, 5),
        "class": rng.choice(("all", *CLASS_NAMES)),
        "page": rng.randint(1, 13),
        "true": rng.choice(CLASS_NAMES),
        "predicted": rng.choice(CLASS_NAMES),
        "cells": rng.choice(("counts", "shares")),
        "off": random_set(rng),
        "off_gives": rng.choice(("0", "its mean")),
        "epoch": rng.choice((0, 3, 9)),
        "map": rng.choice(("neighbours", "PCA")),
        "colour": rng.choice(("class", "error")),
    }
    return {name: value for name, value in values.items() if rng.random() < 0.7}


@pytest.mark.parametrize("page", PAGES)
def test_random_addresses_show_the_view_they_ask_for(open_page: Open, page: str) -> None:
    rng = random.Random(page)
    test = cache.split("test")
    # A set of filters off takes up to a fifth of a second.
    for _ in range(RANDOM_ADDRESSES // 4 if page == "ablation" else RANDOM_ADDRESSES):
        address = random_address(rng)
        app = open_page(page, **address)
        assert_sound(app)
        index = address.get("image", 2000)
        assert f"Label: {test.labels[index]} {CLASS_NAMES[test.labels[index]]}" in text(app)
        if page == "filter_explorer":
            layer, chosen = address.get("layer", LAYERS[0]), address.get("filter", 0)
            assert explored(app) == (layer, chosen)
            panel = address.get("panel", "numbers")
            if panel == "epochs":
                assert f"Filter {chosen} of {layer}, as the network learned" in text(app)
            elif panel == "top images" and layer.startswith("conv"):
                assert f"What excites filter {chosen} of {layer}" in text(app)
            assert f"test image {index}, {CLASS_NAMES[test.labels[index]]}" in text(app)
        part = address.get("compare", "one filter") if page == "class_comparison" else ""
        if part == "one filter":
            pair = address.get("class_a", 0), address.get("class_b", 9)
            rows = [
                f"{number} {CLASS_NAMES[label]}"
                for label in pair
                for number in cache.class_indices("test", label)[: address.get("examples", 2)]
            ]
            assert asked(app, "filter_pair")["rows"] == rows
            assert compared(app) == address.get("filter", 0)
        if part == "all filters":
            layer = address.get("layer", LAYERS[0])
            pair = address.get("class_a", 0), address.get("class_b", 9)
            chart = layer.startswith("conv") and pair[0] != pair[1]
            assert f"What tells {CLASS_NAMES[pair[0]]} and {CLASS_NAMES[pair[1]]} " in text(app)
            assert (f"Filter {address.get('filter', 0)} of {layer}" in text(app)) is chart
        if part == "ten classes":
            assert "All of the first 40 test images" in text(app)
        if page == "ablation":
            network = cache.network(cache.models()["tuned"])
            off, wrong = ablation.parse(address.get("off", ""), network)
            assert wrong == []
            for layer in ("conv_layer_1", "conv_layer_3"):
                assert f"{layer} {len(off.get(layer, ()))} of 64 filters off" in text(app)
        if page == "model_training":
            part = address.get("part", "training")
            last = {
                "training": "How good tuned is",
                "mistakes": "Where tuned errs",
                "epochs": "The 64 kernels of conv_layer_1",
            }
            assert app.subheader[-1].value == last[part]
            true, predicted = address.get("true", "Shirt"), address.get("predicted", "T-shirt/top")
            verb = "recognized as" if true == predicted else "taken for"
            assert (f"{true} {verb} {predicted}" in text(app)) is (part == "mistakes")
        if page == "dataset_gallery":
            (page_input,) = [box for box in app.number_input if box.key == "page"]
            assert page_input.value == address.get("page", 1)


@pytest.mark.parametrize(("page", "part"), VIEWS)
def test_hostile_addresses_show_a_sound_page(
    open_page: Open, page: str, part: dict[str, str]
) -> None:
    assert len(HOSTILE) == 50
    for value in HOSTILE:
        app = open_page(page, **dict.fromkeys(PARAMETERS, value) | part)
        assert_sound(app)
        assert "<script>" not in html(app)
        assert "onerror" not in html(app)


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_one_hostile_value_leaves_the_others_alone(open_page: Open, parameter: str) -> None:
    for value in ("inf", "<script>", "", str(10**30)):
        address = {"image": 42, "filter": 7, "layer": "conv_layer_3"} | {parameter: value}
        app = open_page("filter_explorer", **address)
        assert_sound(app)
        if parameter != "image":
            assert app.session_state["image"] == 42
        if parameter not in ("filter", "layer"):
            assert explored(app) == ("conv_layer_3", 7)
