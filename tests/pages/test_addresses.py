"""Any address shows a sound page: random ones exactly the view they ask for, hostile ones too."""

import random
from typing import Any

import pytest
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest

from core import cache, dataset
from core.dataset import CLASS_NAMES
from core.evidence import ablation
from tests.pages.conftest import (
    COMPARED,
    PAGES,
    VIEWS,
    Open,
    asked,
    assert_sound,
    compared,
    explored,
    go_to,
    html,
    text,
)

LAYERS = ("conv_layer_1", "pool_layer_2", "conv_layer_3", "pool_layer_4")
RANDOM_ADDRESSES = 200  # for each page
RESET = ScriptRunContext.reset

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


def refusals(app: AppTest) -> str:
    """The line above the page, as a reader sees it; "" without one."""
    lines = [caption.value.replace("\\", "") for caption in app.caption]
    assert len(lines) <= 1
    return "".join(lines)


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


def fits_the_layer(address: dict[str, Any]) -> bool:
    """Whether the pinned unit, which is drawn for the largest layer, is whole and on the map."""
    sides = dict(zip(LAYERS, (26, 13, 11, 5), strict=True))
    pin = [address[key] for key in ("row", "col") if key in address]
    return len(pin) != 1 and all(at < sides[address.get("layer", LAYERS[0])] for at in pin)


@pytest.mark.parametrize("page", PAGES)
def test_random_addresses_show_the_view_they_ask_for(open_page: Open, page: str) -> None:
    rng = random.Random(page)
    test = cache.split("test")
    # A set of filters off takes up to a fifth of a second.
    for _ in range(RANDOM_ADDRESSES // 4 if page == "ablation" else RANDOM_ADDRESSES):
        address = random_address(rng)
        app = open_page(page, **address)
        assert_sound(app)
        if fits_the_layer(address):
            assert refusals(app) == ""
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
        pair = address.get("class_a", 0), address.get("class_b", 9)
        if part in ("one filter", "all filters") and pair[0] == pair[1]:
            assert "choose two different classes" in app.info[0].value
            continue
        if part == "one filter":
            rows = [
                f"{number} {CLASS_NAMES[label]}"
                for label in pair
                for number in cache.class_indices("test", label)[: address.get("examples", 2)]
            ]
            assert asked(app, "filter_pair")["rows"] == rows
            assert compared(app) == address.get("filter", 0)
        if part == "all filters":
            layer = address.get("layer", LAYERS[0])
            chart = layer.startswith("conv")
            assert f"What tells {CLASS_NAMES[pair[0]]} and {CLASS_NAMES[pair[1]]} " in text(app)
            assert (f"Filter {address.get('filter', 0)} of {layer}" in text(app)) is chart
        if part == "ten classes":
            assert "All of the first 40 test images" in text(app)
        if page == "ablation":
            network = cache.network(cache.models()["tuned"])
            off, wrong = ablation.parse(address.get("off", ""), network)
            assert wrong == ()
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
        assert len(refusals(app)) < 800


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


# For each parameter a value that does not exist, and the line that names it.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "home",
        {"image": 99999},
        "Image 99999 does not exist (0 to 9999): showing image 2000, a bag.",
    ),
    ("home", {"image": "12.5"}, "Image “12.5” does not exist (0 to 9999): showing image 12."),
    (
        "home",
        {"image": "inf"},
        "Image “inf” does not exist (0 to 9999): showing image 2000, a bag.",
    ),
    ("home", {"model": "x"}, "Model “x” does not exist: showing tuned."),
    (
        "filter_explorer",
        {"layer": "conv_layer_9"},
        "This model has no layer “conv_layer_9”: showing conv_layer_1.",
    ),
    (
        "filter_explorer",
        {"filter": 999},
        "Filter 999 does not exist (0 to 63): showing filter 0.",
    ),
    (
        "filter_explorer",
        {"row": 26, "col": 3},
        "conv_layer_1 has no unit at row 26, column 3: no unit is pinned.",
    ),
    (
        "filter_explorer",
        {"row": 3},
        "A pinned unit needs both a row and a column: no unit is pinned.",
    ),
    ("filter_explorer", {"scale": "x"}, "Colour scale “x” does not exist: showing per map."),
    ("filter_explorer", {"panel": "x"}, "Part of the page “x” does not exist: showing numbers."),
    (
        "filter_explorer",
        {"panel": "epochs", "epoch": 99},
        "Epoch 99 was not saved: showing epoch 24.",
    ),
    (
        "class_comparison",
        {"class_a": 99},
        "First class 99 does not exist (0 to 9): showing 0 T-shirt/top.",
    ),
    (
        "class_comparison",
        {"class_b": "Shirt"},
        "Second class “Shirt” does not exist (0 to 9): showing 9 Ankle boot.",
    ),
    (
        "class_comparison",
        {"examples": 9},
        "Images of each class are 2 to 5, not 9: showing 2.",
    ),
    (
        "class_comparison",
        {"images_a": "19, abc"},
        "“abc” is not the number of a test image of T-shirt/top: showing the first of the class.",
    ),
    (
        "class_comparison",
        {"images_b": "19"},
        "19 is not the number of a test image of Ankle boot: showing the first of the class.",
    ),
    (
        "class_comparison",
        {"images_a": "19, 27," + 60 * " "},
        "The list “19, 27, …” of images is too long: it is read up to character 60.",
    ),
    (
        "class_comparison",
        {"compare": "x"},
        "Part of the page “x” does not exist: showing one filter.",
    ),
    (
        "class_comparison",
        {"compare": "all filters", "filter": 64},
        "Filter 64 does not exist (0 to 63): showing filter 0.",
    ),
    ("model_training", {"part": "x"}, "Part of the page “x” does not exist: showing training."),
    (
        "model_training",
        {"part": "mistakes", "true": "x"},
        "True class “x” does not exist: showing Shirt.",
    ),
    (
        "model_training",
        {"part": "mistakes", "predicted": "x"},
        "Predicted class “x” does not exist: showing T-shirt/top.",
    ),
    (
        "model_training",
        {"part": "mistakes", "cells": "x"},
        "Cells “x” does not exist: showing counts.",
    ),
    ("dataset_gallery", {"split": "x"}, "Split “x” does not exist: showing test."),
    ("dataset_gallery", {"class": "x"}, "Class “x” does not exist: showing all."),
    (
        "dataset_gallery",
        {"class": "Bag", "page": 15},
        "Page 15 does not exist (1 to 14): showing page 1.",
    ),
    ("ablation", {"off_gives": "x"}, "A filter that is off cannot give “x”: it gives 0."),
    (
        "ablation",
        {"off": "conv_layer_3:5,64;x:1"},
        "“conv_layer_3:64” in the address is no filter of this model. It and 1 more are left out.",
    ),
    ("embedding", {"map": "x"}, "Map “x” does not exist: showing neighbours."),
    ("embedding", {"colour": "x"}, "Colour “x” does not exist: showing class."),
]


@pytest.mark.parametrize(("page", "address", "line"), REFUSED)
def test_a_refused_value_is_named_once(
    open_page: Open, page: str, address: dict[str, Any], line: str
) -> None:
    app = open_page(page, **address)
    assert_sound(app)
    assert refusals(app) == line
    # It is the page's last element, so it moves none of the others; style.css shows it first.
    assert app.main.children[max(app.main.children)].key == "refusals"
    if "images" not in "".join(address):  # What a field holds stays wrong.
        app.number_input(key="image").set_value(5).run()
        assert refusals(app) == ""
        go_to(app, "home")
        go_to(app, page)
        assert refusals(app) == ""


def test_a_training_image_that_does_not_exist_is_named(open_page: Open) -> None:
    if not dataset.train_available():
        pytest.skip("the training images are not installed")
    app = open_page("dataset_gallery", split="train", train_image=60000)
    line = "Training image 60000 does not exist (0 to 59999): showing training image 0."
    assert refusals(app) == line


def test_every_parameter_has_a_refused_value() -> None:
    covered = {name for _, address, _ in REFUSED for name in address} | {"train_image"}
    assert covered >= set(PARAMETERS) - {"col"}  # with "row"


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("home", {"image": "42.0"}),  # as Streamlit writes it
        ("home", {"image": ""}),  # asks for nothing
        ("class_comparison", {"class_a": "2 Pullover", "examples": "3.0"}),
        ("filter_explorer", {"scale": "map"}),
        ("filter_explorer", {"scale": "per map"}),
        ("dataset_gallery", {"page": "2.0", "class": "all"}),
        # Of other pages.
        ("home", {"filter": 999, "layer": "x", "page": "x", "class_a": 99, "off": "x:1"}),
        ("ablation", {"filter": 999, "epoch": 99, "map": "x", "images_a": "x"}),
        ("class_comparison", {"compare": "ten classes", "class_a": 99, "layer": "x"}),
    ],
)
def test_what_the_page_takes_or_does_not_read_is_not_named(
    open_page: Open, page: str, address: dict[str, Any]
) -> None:
    app = open_page(page, **address)
    assert_sound(app)
    assert refusals(app) == ""


def test_several_refused_values_make_one_line(open_page: Open) -> None:
    address = {"image": -1, "model": "x", "class_a": 10, "class_b": 11, "examples": 1}
    line = refusals(open_page("class_comparison", **address))
    assert line.startswith("Model “x” does not exist: showing tuned. Image -1 does not exist")
    assert line.endswith("showing 0 T-shirt/top. 2 more values are not valid.")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a" * 5000, "“" + "a" * 40 + "…”"),
        ("**b** [c](//d) :red[e] $f$ <b>", "“**b** [c](//d) :red[e] $f$ <b>”"),
        ("a\nb\x00\u202ec", "“a�b��c”"),
    ],
)
def test_a_refused_value_is_short_plain_text(open_page: Open, value: str, shown: str) -> None:
    app = open_page("home", model=value)
    assert refusals(app) == f"Model {shown} does not exist: showing tuned."
    (caption,) = app.caption
    assert not caption.proto.allow_html
    for sign in ("*", "[", "]", "$", "<", ":red"):
        assert caption.value.count(sign) == caption.value.count(f"\\{sign}")


def test_a_value_is_named_where_a_control_first_reads_it(open_page: Open) -> None:
    app = open_page("class_comparison", compare="ten classes", class_a=99)
    assert refusals(app) == ""
    app.segmented_control(key="compare").set_value("one filter").run()
    assert refusals(app) == "First class 99 does not exist (0 to 9): showing 0 T-shirt/top."


def test_the_visitors_own_choice_is_not_named(open_page: Open) -> None:
    """A filter of one layer may be none of another layer's."""
    app = open_page("filter_explorer", filter=63, row=20, col=20)
    app.segmented_control(key="layer").set_value("dense_layer_7").run()
    assert explored(app) == ("dense_layer_7", 0)
    assert refusals(app) == ""


def test_images_that_are_no_images_of_the_class_are_named_when_typed(open_page: Open) -> None:
    app = open_page("class_comparison")
    app.text_input(key="images_a").set_value("19 abc").run()
    assert refusals(app).startswith("“abc” is not the number of a test image of T-shirt/top")
    app.text_input(key="images_a").set_value("19 27").run()
    assert refusals(app) == ""


def test_back_to_a_refused_value_names_it_again(open_page: Open) -> None:
    app = open_page("home", image=99999)
    app.number_input(key="image").set_value(5).run()
    assert refusals(app) == ""
    app.query_params["image"] = "99999"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptRunContext, "reset", reset_as_after_back)
        app.run()
    assert refusals(app).startswith("Image 99999 does not exist")


def reset_as_after_back(context: ScriptRunContext, *args: Any, **options: Any) -> None:
    """Starts a run as Streamlit does when the browser goes back in its history."""
    RESET(context, *args, **options | {"is_history_navigation": True})
