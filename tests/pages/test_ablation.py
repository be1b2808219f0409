"""Filters switched off: what the page counts and says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from streamlit.testing.v1 import AppTest

from core import cache, dataset
from core.dataset import CLASS_NAMES, to_input
from core.evidence.answers import Answers
from server import jobs
from tests.pages.conftest import Open, assert_sound, text
from ui import counting

OFF = {"conv_layer_1": (3, 17), "conv_layer_3": (5, 40, 41)}
OFF_TEXT = "conv_layer_1:3,17;conv_layer_3:5,40,41"


def without(model: str, images: Any, constants: dict[str, Any]) -> Any:
    """The network's output for images, layer by layer, the maps in `OFF` at their constants."""
    x = to_input(images)
    for layer in cache.network(cache.models()[model]).layers:
        x = layer(x)
        for index in OFF.get(layer.name, ()):
            x[..., index] = constants[layer.name][index]
    return x


@pytest.fixture(params=[("tutorial", "0"), ("tuned", "its mean")])
def constants(request: pytest.FixtureRequest) -> tuple[str, str, dict[str, Any]]:
    """A model, what a filter that is off gives, and that as numbers."""
    model, gives = request.param
    insights = cache.insights(cache.models()[model])
    assert insights is not None
    return (
        model,
        gives,
        {
            # The test split has as many images of each class.
            name: insights.class_means[name].mean(axis=0) * (gives == "its mean")
            for name in OFF
        },
    )


def test_the_sample_and_the_prediction(open_page: Open, constants: Any) -> None:
    model, gives, values = constants
    app = open_page("ablation", model=model, off=OFF_TEXT, off_gives=gives, image=77)
    assert_sound(app)
    test = cache.split("test")
    probabilities = without(model, test.images[77:78], values)[0]
    best = int(probabilities.argmax())
    assert f"{CLASS_NAMES[best]} with {probabilities[best]:.1%}; with all filters on" in text(app)
    _, sample = dataset.hold_out(test, 0.1, 0)
    assert np.bincount(sample.labels).tolist() == [100] * 10
    right = without(model, sample.images, values).argmax(axis=1) == sample.labels
    words = text(app)
    assert f"Accuracy {right.mean():.2%}, with all filters on" in words
    assert "Of 1,000 test images, 100 of each class" in words
    for label, name in enumerate(CLASS_NAMES):
        _, after = words.split("Accuracy ")[1].split(f"{name} ")[1].split()[:2]
        assert after == f"{right[sample.labels == label].mean():.1%}"


def test_every_filter_on_changes_nothing(open_page: Open) -> None:
    app = open_page("ablation", model="tutorial", off_gives="its mean")
    assert_sound(app)
    assert "Counted over all 10,000 test images." in text(app)
    assert "Accuracy 89.96%, with all filters on 89.96%" in text(app)


def test_words_that_are_no_filter_are_named(open_page: Open) -> None:
    app = open_page("ablation", off="conv_layer_1:3,64;pool_layer_2:1")
    assert_sound(app)
    (caption,) = app.caption
    words = caption.value.replace("\\", "")  # with it, Markdown leaves signs as they are
    assert "“conv_layer_1:64” in the address is no filter of this model." in words
    assert "conv_layer_1 1 of 64 filters off" in text(app)


def sheet(app: AppTest, layer: str) -> dict[str, Any]:
    """What the component with a layer's maps is asked for."""
    for element in app.get("bidi_component"):
        if f"switches_{layer}" in element.proto.id:
            data: dict[str, Any] = json.loads(element.proto.bytes)
            return data
    raise AssertionError(f"no maps of {layer}")


def test_the_maps_are_crossed_out(open_page: Open) -> None:
    app = open_page("ablation", off=OFF_TEXT)
    for layer, off in OFF.items():
        assert sheet(app, layer)["off"] == list(off)
        assert len(sheet(app, layer)["names"]) == 64


def rows(app: AppTest, layer: str, name: str) -> list[dict[str, Any]]:
    """Data of the chart of what each filter of a layer costs."""
    for element in app.get("vega_lite_chart"):
        if f"effects_{layer}" in element.proto.id:
            (data,) = (each.data.data for each in element.proto.datasets if each.name == name)
            found: list[dict[str, Any]] = pyarrow.ipc.open_stream(data).read_all().to_pylist()
            return found
    raise AssertionError(f"no chart of {layer}")


def test_what_each_filter_costs_alone(open_page: Open) -> None:
    app = open_page("ablation", model="tutorial", off=OFF_TEXT)
    model = cache.models()["tutorial"]
    insights, labels = cache.insights(model), cache.split("test").labels
    assert insights is not None
    for layer, off in OFF.items():
        without = insights.filters[layer]
        lost = 100 * (insights.accuracy(labels) - without.ablation_accuracy.astype(float))
        of_classes = insights.class_accuracy(labels) - without.ablation_class_accuracy
        bars = rows(app, layer, "rows")
        assert [bar["filter"] for bar in bars] == np.argsort(-lost, kind="stable").tolist()
        for bar in bars:
            worst = of_classes[bar["filter"]].max()
            assert bar["lost"] == pytest.approx(lost[bar["filter"]], abs=0.006)
            assert bar["class_lost"] == pytest.approx(100 * worst, abs=0.06)
            assert of_classes[bar["filter"], CLASS_NAMES.index(bar["most"])] == worst
        marked = {row["filter"] for row in rows(app, layer, "off") if row["now"] == "off"}
        assert marked & {bar["filter"] for bar in bars} == set(off)


def test_a_count_over_all_images(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    cache._counted.clear()
    commands = []

    class AtOnce:
        """A job that has its result when it is asked for it."""

        before, progress, problem, done, cancelled = 0, 1.0, "", True, False

        def __init__(self, _key: object, command: list[str], keep: Any) -> None:
            commands.append(command)
            self.result = {"right": [900] * 10, "counts": [1000] * 10}
            keep(self.result)

        def cancel(self) -> None:
            raise AssertionError("nobody cancelled it")

    monkeypatch.setattr(counting, "Job", AtOnce)
    app = open_page("ablation", model="tutorial", off=OFF_TEXT, off_gives="its mean")
    assert "Of 1,000 test images" in text(app)
    app.button(key="count_all").click().run()
    assert_sound(app)
    assert "Counted over all 10,000 test images. 95 % interval: 89.4% to 90.6%" in text(app)
    (command,) = commands
    assert command[0] == "core.ablation"
    assert Path(command[-2]).name == "tutorial"
    assert command[1:-2] == ["--json", "--mean", "--"]
    assert command[-1] == OFF_TEXT
    assert cache.counted_answers(cache.models()["tutorial"], OFF_TEXT, to_mean=True) == Answers(
        (900,) * 10, (1000,) * 10
    )
    cache._counted.clear()


def test_too_many_counts(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_WAITING", 0)
    app = open_page("ablation", model="tutorial", off="conv_layer_3:9")
    app.button(key="count_all").click().run()
    assert_sound(app)
    assert [warning.value for warning in app.warning] == [
        "Too many are counting now: please try again soon."
    ]
    assert "Count over all 10,000" in [button.label for button in app.button]
