"""The map of images: what its component is asked for, and what it may answer."""

import io
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import cache
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights
from core.network import ModelError
from tests.pages.conftest import Open, assert_sound, text
from tests.pages.files import collect_files
from ui.components import image_map


def measured(model: str = "tutorial") -> Insights:
    found = cache.insights(cache.models()[model])
    assert found
    return found


def component(app: AppTest, name: str) -> Any:
    (proto,) = [
        element.proto
        for element in app.get("bidi_component")
        if element.proto.component_name == name
    ]
    return proto


def points(app: AppTest) -> dict[str, Any]:
    """The packet, read as its docstring has it."""
    data = component(app, "image_map").bytes
    size = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4 : 4 + size])
    count, start = header["count"], 4 + size
    words = np.frombuffer(data, "<u2", 3 * count, start).reshape(3, count)
    labels, said = np.frombuffer(data, np.uint8, 2 * count, start + 6 * count).reshape(2, count)
    assert len(data) == start + 8 * count
    return header | {"xy": words[:2].T, "permille": words[2], "labels": labels, "said": said}


@pytest.mark.parametrize(("choice", "name"), [("neighbours", "embedding"), ("PCA", "components")])
def test_the_map_is_the_insights(open_page: Open, choice: str, name: str) -> None:
    app = open_page("embedding", model="tutorial", map=choice)
    assert_sound(app)
    shown, insights = points(app), measured()
    places, labels = getattr(insights, name).astype(np.float64), cache.split("test").labels
    longer = np.ptp(places, axis=0).max()
    back = places.min(axis=0) + shown["xy"] * (longer / 65535)
    np.testing.assert_allclose(back, places, atol=longer / 65535)
    np.testing.assert_allclose(shown["extent"], np.ptp(places, axis=0) * 65535 / longer)
    assert np.array_equal(shown["labels"], labels)
    assert np.array_equal(shown["said"], insights.predictions)
    assert np.abs(shown["permille"] / 1000 - insights.confidences).max() < 0.00051
    for label, median in enumerate(shown["medians"]):
        expected = np.median(shown["xy"][labels == label], axis=0)
        np.testing.assert_allclose(median, expected, atol=1)
    assert bool(shown["axes"]) == (choice == "PCA")


def test_a_picked_image_leaves_the_large_message_as_it_was(open_page: Open) -> None:
    app = open_page("embedding", model="tutorial", image=3)
    before = component(app, "image_map")
    assert json.loads(component(app, "image_map_look").bytes) == {"chosen": 3, "byError": False}
    app.session_state["image"] = 4
    app.query_params["colour"] = "error"
    app.run()
    assert_sound(app)
    assert json.loads(component(app, "image_map_look").bytes) == {"chosen": 4, "byError": True}
    assert component(app, "image_map") == before


@pytest.mark.parametrize(
    ("value", "picked"),
    [(0, [0]), (9999, [9999])]
    + [(value, []) for value in (-1, 10_000, True, 3.0, "3", None, [3], {"image": 3})],
)
def test_only_an_image_can_be_picked(
    monkeypatch: pytest.MonkeyPatch, value: object, picked: list[int]
) -> None:
    def sent(*, on_picked_change: Any, **_: object) -> None:
        monkeypatch.setattr(
            image_map.st, "session_state", {"image_map": SimpleNamespace(picked=value)}
        )
        on_picked_change()

    found: list[int] = []
    monkeypatch.setattr(image_map, "_map", sent)
    monkeypatch.setattr(image_map, "_look", lambda **_: None)
    image_map.image_map(b"", 10_000, 0, False, found.append)
    assert found == picked


def test_the_nearest_on_the_map(open_page: Open) -> None:
    app = open_page("embedding", model="tutorial", image=9, map="PCA")
    places, labels = measured().components, cache.split("test").labels
    distances = ((places - places[9]) ** 2).sum(axis=1)
    expected = sorted(range(10_000), key=lambda image: distances[image])[1:9]
    assert json.loads(component(app, "contact_sheet").bytes)["numbers"] == expected
    same = sum(labels[image] == labels[9] for image in expected)
    assert f"{same} of 8 are {CLASS_NAMES[labels[9]]}" in text(app)


def test_the_table_is_the_map(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    files = collect_files(monkeypatch)
    open_page("embedding", model="tutorial")
    table = pd.read_csv(io.BytesIO(files["tutorial_neighbours.csv"]()))
    insights = measured()
    assert table["image"].tolist() == list(range(10_000))
    assert np.array_equal(table[["x", "y"]].to_numpy(np.float32), insights.embedding)
    assert np.array_equal(table["confidence"].to_numpy(np.float32), insights.confidences)
    for column, classes in (
        ("class", cache.split("test").labels),
        ("predicted", insights.predictions),
    ):
        assert table[column].tolist() == [CLASS_NAMES[label] for label in classes]


def test_without_insights_the_page_says_so(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: cache.Version) -> Insights:
        raise ModelError("insights.npz is damaged: restore it.")

    for found, words in ((lambda _: None, "python -m core.insights"), (damaged, "is damaged")):
        monkeypatch.setattr(cache, "insights", found)
        app = open_page("embedding")
        assert_sound(app)
        assert words in text(app)
        assert "As in the tutorial" in text(app)
        components = [element.proto.component_name for element in app.get("bidi_component")]
        assert components == ["navigation"]
