"""What the pages do when a visitor acts, and when something they need is missing."""

import base64
import io
import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pyarrow
import pytest
from PIL import Image

from core import cache, dataset
from core.dataset import CLASS_NAMES, DatasetError
from core.models import attempts, model_folder
from tests.pages.conftest import (
    COMPARED,
    PAGES,
    PARTS,
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

TUTORIAL = model_folder.MODELS_DIR / "tutorial"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the app looks for its models."""
    find = model_folder.find
    monkeypatch.setattr(model_folder, "find", lambda: find(tmp_path))
    return tmp_path


def put_model(folder: Path, *names: str) -> None:
    """Copies files of the shipped model into a model folder."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes((TUTORIAL / name).read_bytes())


def test_state_survives_a_page_switch(open_page: Open) -> None:
    app = open_page("filter_explorer", image=77, layer="conv_layer_3", filter=33)
    go_to(app, "home")
    go_to(app, "class_comparison")
    assert compared(app) == 33
    go_to(app, "filter_explorer")
    assert_sound(app)
    assert explored(app) == ("conv_layer_3", 33)
    assert "test image 77," in text(app)


def test_random_image_is_another_one(open_page: Open) -> None:
    app = open_page("home")
    seen = {app.session_state["image"]}
    for _ in range(5):
        app.button(key="random").click().run()
        assert_sound(app)
        seen.add(app.session_state["image"])
    assert len(seen) >= 5
    assert all(0 <= index < 10_000 and index == int(index) for index in seen)


def test_the_sheet_is_asked_for_what_the_address_says(open_page: Open) -> None:
    def sheet(**address: object) -> dict[str, Any]:
        app = open_page("filter_explorer", model="tutorial", image=5, **address)
        return asked(app, "feature_sheet")

    default = sheet()
    assert default["layer"] == "conv_layer_1"
    assert default["choice"] == {"filter": 0, "row": None, "col": None}
    assert default["shared"] is False
    assert sheet(scale="shared") == {**default, "shared": True}
    changed = sheet(layer="conv_layer_3", filter=7, row=10, col=4)
    choice = {"filter": 7, "row": 10, "col": 4}
    assert changed == {**default, "layer": "conv_layer_3", "choice": choice}
    # A unit needs both, and has to be on the map.
    assert sheet(row=3)["choice"] == default["choice"]
    assert sheet(layer="pool_layer_4", row=3, col=20)["choice"] == default["choice"]
    # A filter that is not there is the first one.
    assert sheet(layer="dense_layer_7", filter=10)["choice"] == default["choice"]


def test_the_server_hears_of_a_filter_where_it_draws_for_it(open_page: Open) -> None:
    def tells(page: str, component: str, **address: object) -> bool:
        told = asked(open_page(page, **address), component)["tells"]
        assert isinstance(told, bool)
        return told

    assert not tells("filter_explorer", "feature_sheet")
    assert tells("filter_explorer", "feature_sheet", panel="top images")
    assert tells("filter_explorer", "feature_sheet", panel="epochs")
    # There are no panels for a flat layer, whichever was chosen before.
    assert not tells("filter_explorer", "feature_sheet", panel="epochs", layer="dense_layer_6")
    assert not tells("class_comparison", "filter_slider")
    assert tells("class_comparison", "filter_slider", compare="all filters")


def test_the_pair_has_all_filters_maps(open_page: Open) -> None:
    app = open_page("class_comparison", model="tutorial", class_a=2, class_b=6)
    data = asked(app, "filter_pair")
    shown = [1, 16, 4, 7]  # the first two of each class
    assert data["rows"] == ["1 Pullover", "16 Pullover", "4 Shirt", "7 Shirt"]
    assert data["names"] == ["Pullover", "Shirt"]
    model = cache.models()["tutorial"]
    insights = cache.insights(model)
    assert insights
    layers = cache.network(model).spatial_layers
    titles = [column["title"] for column in data["columns"]]
    assert titles == ["input", *(layer.name for layer in layers)]
    for column, layer in zip(data["columns"][1:], layers, strict=True):
        maps = np.stack([cache.activations(model, index)[layer.name] for index in shown])
        height, width, count = layer.output_shape
        assert (column["count"], column["aspect"]) == (count, width / height)
        largest = maps.max(axis=(0, 1, 2))
        ends = np.stack([np.zeros(count), np.where(largest > 0, largest, 1)], 1)
        assert np.allclose(column["ends"], ends)
        # A row an image, a column a filter; each filter on its own scale.
        picture = Image.open(io.BytesIO(base64.b64decode(column["src"].partition(",")[2])))
        expected = (maps / ends[:, 1]).transpose(0, 1, 3, 2)  # images, rows, filters, columns
        shade = np.asarray(picture).reshape(4, height, count, width).transpose(0, 1, 2, 3)
        assert np.abs(shade / 255 - expected).max() < 4 / 255
    for response, layer in zip(data["responses"], layers, strict=True):
        assert response["layer"] == layer.name
        assert np.allclose(response["means"], insights.class_means[layer.name][[2, 6]], atol=1e-5)


def test_picked_images_are_compared(open_page: Open) -> None:
    boots = cache.class_indices("test", 9)[[10, 20]].tolist()
    app = open_page("class_comparison", images_b=f"{boots[0]}, {boots[1]}")
    assert_sound(app)
    rows = ["19 T-shirt/top", "27 T-shirt/top", *(f"{index} Ankle boot" for index in boots)]
    assert asked(app, "filter_pair")["rows"] == rows


@pytest.mark.parametrize("picked", ["0", "12a", "99999", "-1", "19 <b>"])
def test_a_wrong_pick_is_named_and_the_first_images_stay(open_page: Open, picked: str) -> None:
    app = open_page("class_comparison", images_a=picked)
    assert_sound(app)
    (caption,) = app.caption
    words = caption.value.replace("\\", "")  # with it, Markdown leaves signs as they are
    assert "is not the number of a test image of T-shirt/top: showing the first" in words
    assert asked(app, "filter_pair")["rows"][0] == "19 T-shirt/top"


@pytest.mark.parametrize(("page", "part"), VIEWS)
def test_tutorial_links_open_what_they_promise(
    open_page: Open, page: str, part: dict[str, str]
) -> None:
    shown = html(open_page(page, **part))
    links = re.findall(r'<a href="([^"]*)"[^>]*>((?:As in|filter)[^<]*)</a>', shown)
    assert links
    for address, words in links:
        parts = urlsplit(unescape(address))
        parameters: dict[str, Any] = dict(parse_qsl(parts.query))
        app = open_page(parts.path or "home", **parameters)
        assert_sound(app)
        assert "Label: 8 Bag" in text(app)
        if match := re.search(r"filter (\d+)", words):
            index = explored(app)[1] if parts.path == "filter_explorer" else compared(app)
            assert index == int(match[1])


def open_at(open_page: Open, address: str) -> Any:
    """The page that a link of the app leads to."""
    parts = urlsplit(unescape(address))
    return open_page(parts.path, **dict(parse_qsl(parts.query)))


def test_home_links_open_the_filter(open_page: Open) -> None:
    addresses = re.findall(r'<a href="(filter_explorer[^"]*)"', html(open_page("home", image=3)))
    # Six maps of each of four layers, and one unit of each of the three flat layers.
    assert len(addresses) == 4 * 6 + 3
    assert "All 10 units of dense_layer_7" in text(open_at(open_page, addresses[-1]))
    parameters = dict(parse_qsl(urlsplit(unescape(addresses[8])).query))
    app = open_at(open_page, addresses[8])
    assert explored(app) == (parameters["layer"], int(parameters["filter"]))
    # The browser adds the others; a unit pinned in another layer is left out.
    assert set(parameters) == {"layer", "filter"}


def test_gallery_pages_through_a_class(open_page: Open) -> None:
    app = open_page("dataset_gallery", **{"class": "Bag"})
    assert_sound(app)
    (page,) = [box for box in app.number_input if box.key == "page"]
    assert page.max == np.ceil(1000 / 75)


def test_gallery_shows_training_images_where_they_are(open_page: Open) -> None:
    if not dataset.train_available():
        pytest.skip("the training images are not installed")
    app = open_page("dataset_gallery", split="train", train_image=23)
    assert_sound(app)
    assert "Train image 23 8 Bag" in text(app)


def test_gallery_says_how_to_get_the_training_images(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = cache.split

    def without_train(name: dataset.SplitName) -> dataset.Split:
        if name == "train":
            raise DatasetError("No folder holds it: run `python -m core.dataset download`.")
        return split(name)

    monkeypatch.setattr(cache, "split", without_train)
    app = open_page("dataset_gallery", split="train")
    assert_sound(app)
    assert "python -m core.dataset download" in app.info[0].value
    assert "training image 23" in text(app)


@pytest.mark.parametrize("page", PAGES)
def test_damaged_test_data_is_one_sentence(
    open_page: Open, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: str) -> dataset.Split:
        raise DatasetError("t10k-images-idx3-ubyte.gz is damaged: restore it.")

    monkeypatch.setattr(cache, "split", damaged)
    app = open_page(page)
    assert not app.exception
    assert [error.value for error in app.error] == [
        "t10k-images-idx3-ubyte.gz is damaged: restore it."
    ]


@pytest.mark.parametrize("page", PAGES)
def test_without_a_model_the_app_says_how_to_train_one(
    open_page: Open, page: str, models: Path
) -> None:
    assert not any(models.iterdir())
    app = open_page(page)
    assert not app.exception
    if page == "dataset_gallery":
        assert not app.error
        assert "Fashion-MNIST" in text(app)
    else:
        assert "python -m core.training --recipe tutorial" in app.error[0].value


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_model_is_named_and_the_others_open(
    open_page: Open, page: str, models: Path
) -> None:
    put_model(models / "good", "model.keras", "history.csv", "insights.npz", "card.md")
    put_model(models / "bad")
    (models / "bad" / "model.keras").write_bytes(b"PK not a model")
    app = open_page(page, model="bad")
    assert not app.exception
    if page != "dataset_gallery":
        assert "bad" in app.error[0].value
        assert "Traceback" not in app.error[0].value
    app.selectbox(key="model").select("good").run()
    assert_sound(app)
    assert "Label: 8 Bag" in text(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_model_with_only_its_network_opens(open_page: Open, page: str, models: Path) -> None:
    put_model(models / "bare", "model.keras")
    for part, compare in zip(PARTS, COMPARED, strict=True):
        app = open_page(page, panel="top images", part=part, compare=compare)
        assert_sound(app)
        if page == "filter_explorer":
            assert "python -m core.insights" in text(app)
        if page == "class_comparison":
            assert ("python -m core.insights" in text(app)) is (compare != "ten classes")
        if page == "model_training":
            assert ("python -m core.insights" in text(app)) is (part != "epochs")
            assert ("came without the weights" in text(app)) is (part == "epochs")


@pytest.mark.parametrize("page", PAGES)
def test_damaged_insights_leave_the_rest(open_page: Open, page: str, models: Path) -> None:
    put_model(models / "half", "model.keras", "history.csv", "insights.npz", "checkpoints.npz")
    (models / "half" / "insights.npz").write_bytes(b"damaged")
    parts = zip(("numbers", "top images", "epochs"), PARTS, COMPARED, strict=True)
    for panel, part, compare in parts:
        chosen = {"panel": panel, "part": part, "compare": compare}
        app = open_page(page, **chosen, off="conv_layer_3:5", off_gives="its mean")
        assert_sound(app)
        assert "Label: 8 Bag" in text(app)
        if page in ("ablation", "embedding"):
            assert "insights.npz is damaged" in text(app)
        if page == "class_comparison":
            assert ("insights.npz is damaged" in text(app)) is (compare != "ten classes")
        if page == "model_training":
            assert ("insights.npz is damaged" in text(app)) is (part != "epochs")


@pytest.mark.parametrize("name", ["history.csv", "insights.npz"])
def test_a_damaged_record_is_named(open_page: Open, models: Path, name: str) -> None:
    put_model(models / "half", "model.keras", "history.csv", "insights.npz", "card.md")
    (models / "half" / name).write_bytes(b"\x00\x01 damaged")
    app = open_page("model_training")
    assert not app.exception
    assert name in text(app) + "".join(warning.value for warning in app.warning)
    assert app.subheader[-1].value == "How good half is"
    assert "The 64 kernels" in open_page("model_training", part="epochs").subheader[-1].value


VALIDATED = """\
epoch,seconds,train_loss,train_accuracy,validation_loss,validation_accuracy
1,9,0.5,0.8,0.6,0.78
2,9,0.2,0.95,0.3,0.91
"""


def test_trainings_are_compared_and_the_gap_is_named(open_page: Open, models: Path) -> None:
    for name in ("one", "two"):
        put_model(models / name, "model.keras", "history.csv", "insights.npz", "card.md")
    (models / "two" / "history.csv").write_text(VALIDATED)
    app = open_page("model_training", model="two")
    assert_sound(app)
    words = text(app)
    assert "4.0 points higher than on validation images, and the loss 0.100 lower" in words
    history = model_folder.ModelFolder(models / "one").read().history().iloc[-1]
    points = 100 * (history["train_accuracy"] - history["test_accuracy"])
    assert f"{points:.1f} points higher than on test images" in words
    # Its test figures are of the model in view, which the history says nothing of.
    assert "validation accuracy 0.9100" in words
    assert f"test accuracy {history['test_accuracy']:.4f}" in words
    charts = [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]
    bounds = [
        layer["encoding"]["y"]["scale"]["domain"]
        for chart in charts[:4]
        for layer in chart["layer"]
        if "y2" in layer["encoding"]
    ]
    assert bounds[0] == bounds[2] != bounds[1] == bounds[3]


def sheet_data(app: Any, key: str) -> dict[str, Any]:
    """What a contact sheet is asked to show."""
    (proto,) = [
        element.proto
        for element in app.get("bidi_component")
        if element.proto.component_name == "contact_sheet" and f"-{key}" in element.proto.id
    ]
    data: dict[str, Any] = json.loads(proto.bytes)
    return data


def test_the_images_of_a_mistake(open_page: Open) -> None:
    app = open_page(
        "model_training", model="tutorial", part="mistakes", true="Pullover", predicted="Coat"
    )
    assert_sound(app)
    model, test = cache.models()["tutorial"], cache.split("test")
    pullovers = cache.class_indices("test", 2)
    outputs = cache.network(model).predict(dataset.to_input(test.images[pullovers]))
    taken = [
        (-float(row.max()), int(image))
        for image, row in zip(pullovers, outputs, strict=True)
        if row.argmax() == 4
    ]
    assert f"Pullover taken for Coat 48 of {len(taken)} images" in text(app)
    shown = sheet_data(app, "mistakes")
    assert shown["numbers"] == [image for _, image in sorted(taken)[:48]]
    assert shown["captions"][:3] == [f"{-sure:.0%}" for sure, _ in sorted(taken)[:3]]
    (chart,) = [
        one.proto for one in app.get("vega_lite_chart") if "predicted class" in one.proto.spec
    ]
    data = chart.data.data or chart.datasets[0].data.data
    cells = pyarrow.ipc.open_stream(data).read_pandas().set_index(["true", "predicted"])
    assert cells.loc[("Pullover", "Coat"), "count"] == len(taken)
    assert cells["count"].sum() == 10_000
    outline = json.loads(chart.spec)["layer"][1]
    assert [each["filter"]["equal"] for each in outline["transform"]] == ["Pullover", "Coat"]


def test_visitors_look_at_the_same_charts(open_page: Open) -> None:
    """A chart's specification is made once, and neither Streamlit nor a visitor changes it."""

    def specifications(**address: object) -> list[str]:
        app = open_page("model_training", model="tutorial", **address)
        assert_sound(app)
        return [chart.proto.spec for chart in app.get("vega_lite_chart")]

    for part, count in (("training", 5), ("mistakes", 2)):
        first = specifications(part=part)
        specifications(part=part, true="Coat", predicted="Coat")
        assert len(first) == count
        assert specifications(part=part) == first


def test_a_mistake_that_was_never_made(open_page: Open) -> None:
    app = open_page(
        "model_training", model="tutorial", part="mistakes", true="Sneaker", predicted="Trouser"
    )
    assert_sound(app)
    assert "Sneaker taken for Trouser 0 of 0 images There is no such test image." in text(app)


def test_doubted_labels_are_what_all_models_agree_on(open_page: Open) -> None:
    shown = sheet_data(open_page("model_training", part="mistakes"), "doubted")
    labels = cache.split("test").labels
    for image in shown["numbers"]:
        said = set()
        for model in cache.models().values():
            output = cache.activations(model, image)["dense_layer_7"]
            assert output.max() > 0.899
            said.add(int(output.argmax()))
        assert len(said) == 1
        assert labels[image] not in said


def test_each_attempt_is_in_the_chart(open_page: Open) -> None:
    app = open_page("model_training")
    (chart,) = [
        chart.proto
        for chart in app.get("vega_lite_chart")
        if "validation accuracy (%)" in chart.proto.spec
    ]
    data = chart.data.data or chart.datasets[0].data.data
    shown = pyarrow.ipc.open_stream(data).read_pandas().to_dict("records")
    tried = attempts.load()
    assert [row["settings"] for row in shown] == [attempt.settings for attempt in tried]
    for row, attempt in zip(shown, tried, strict=True):
        assert row["low"] < 100 * attempt.validation_accuracy < row["high"]
        assert (row["in tuned"] == "kept") is attempt.kept


def test_a_damaged_list_of_attempts_is_named(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "attempts.csv").write_bytes(b"\xff")
    damaged = tmp_path / "attempts.csv"
    monkeypatch.setattr(cache, "tried", lambda: tuple(attempts.load(damaged)))
    app = open_page("model_training")
    assert not app.exception
    assert any("attempts.csv is missing or damaged" in warning.value for warning in app.warning)
    assert "How good" in app.subheader[-1].value


def test_classes_are_named_as_in_the_tutorial() -> None:
    assert CLASS_NAMES[0] == "T-shirt/top"
    assert len(CLASS_NAMES) == 10
