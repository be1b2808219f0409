"""What tells two classes apart, on the class comparison."""

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from streamlit.testing.v1 import AppTest

from core import cache
from core.evidence.insights import Insights
from core.evidence.separation import Separation
from core.evidence.statistics import Z_95
from tests.pages.conftest import Open, asked, assert_sound, compared, html, text
from ui.charts.separation_chart import KINDS, evidence_and_effect_chart
from ui.charts.separation_words import correlation, verdict

PAIRS = [(0, 6), (9, 7)]


def measured(model: str) -> Insights:
    found = cache.insights(cache.models()[model])
    assert found
    return found


def compare(open_page: Open, part: str = "all filters", **parameters: object) -> AppTest:
    """Opens a part of the page."""
    return open_page("class_comparison", compare=part, **parameters)


def chart(app: AppTest) -> Any:
    """The message of the chart of evidence and effect."""
    (proto,) = [
        one.proto for one in app.get("vega_lite_chart") if "drop (points)" in one.proto.spec
    ]
    return proto


def shown(app: AppTest) -> pd.DataFrame:
    """The chart's filters, from left to right."""
    proto = chart(app)
    return pyarrow.ipc.open_stream(proto.data.data or proto.datasets[0].data.data).read_pandas()


def click(app: AppTest, selection: object) -> AppTest:
    """What the browser sends on a click."""
    states = app._tree.get_widget_states()
    states.widgets.add(id=chart(app).id, string_value=json.dumps({"selection": selection}))
    return app._run(states)


@pytest.mark.parametrize("model", ["tutorial", "tuned"])
@pytest.mark.parametrize("layer", ["conv_layer_1", "conv_layer_3"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_chart_shows_what_was_measured(
    open_page: Open, model: str, layer: str, first: int, second: int
) -> None:
    app = compare(open_page, model=model, layer=layer, class_a=first, class_b=second, filter=7)
    assert_sound(app)
    insights = measured(model)
    found = insights.filters[layer]
    rows = shown(app)
    assert sorted(rows["filter"]) == list(range(64))
    assert (np.diff(rows["auc"]) <= 0).all()
    auc = found.auc[rows["filter"], first, second].astype(float)
    error = found.auc_error[rows["filter"], first, second].astype(float)
    whole = float(insights.pair_accuracy[first, second])
    drop = 100 * (whole - found.ablation_pair_accuracy[rows["filter"], first, second].astype(float))
    np.testing.assert_allclose(rows["auc"], auc)
    np.testing.assert_allclose(rows["low"], np.maximum(auc - Z_95 * error, 0), atol=1e-9)
    np.testing.assert_allclose(rows["high"], np.minimum(auc + Z_95 * error, 1), atol=1e-9)
    np.testing.assert_allclose(rows["drop"], drop, atol=1e-4)
    best = set(rows["filter"][np.argsort(-np.abs(auc - 0.5))[:8]])
    separates = rows["kind"].str.startswith("separates best")
    assert set(rows["filter"][separates]) == best
    needed = rows["kind"].isin([KINDS[both, True][0] for both in (True, False)])
    assert (rows["drop"][needed] > 0.29).all()
    assert rows["filter"][rows["chosen"]].tolist() == [7]
    words = text(app)
    assert f"Filter 7 of {layer} average map" in words
    position = rows["filter"].tolist().index(7)
    assert f"AUC {rows['interval'][position]} drop {rows['cost'][position]}" in words
    assert f"{whole:.2%} with all filters" in words


def test_the_words_for_a_pair(open_page: Open) -> None:
    app = compare(open_page, model="tuned", layer="conv_layer_1", class_b=6, filter=3)
    assert_sound(app)
    rows = shown(app).set_index("filter")
    best = (rows["auc"] - 0.5).abs().idxmax()
    costliest = rows["drop"].idxmax()
    words = text(app)
    assert best != costliest
    assert f"Filter {best} separates best (AUC {rows['interval'][best]}, larger for Shirt)" in words
    assert f"Filter {costliest} costs most, {rows['cost'][costliest]}" in words
    rho = rows["drop"].corr((rows["auc"] - 0.5).abs(), method="spearman")
    assert f"over the 64 filters: {rho:+.2f}".replace("-", "−") in words


def test_a_pair_for_which_no_filter_is_needed(open_page: Open) -> None:
    app = compare(open_page, model="tutorial", layer="conv_layer_1")
    assert_sound(app)
    assert shown(app)["drop"].max() < 0.3
    assert "No filter is needed by itself" in text(app)
    assert set(shown(app)["kind"]) == {KINDS[best, False][0] for best in (True, False)}


@pytest.mark.parametrize("part", ["one filter", "all filters"])
def test_a_class_is_not_compared_with_itself(open_page: Open, part: str) -> None:
    app = compare(open_page, part, class_a=9, class_b=9, layer="conv_layer_3", filter=5)
    assert_sound(app)
    [info] = app.info
    assert info.value == (
        "Both classes are 9 Ankle boot: choose two different classes above to compare them."
    )
    shown = {element.proto.component_name for element in app.get("bidi_component")}
    assert not shown & {"filter_pair", "filter_slider"}
    assert not app.get("vega_lite_chart")
    assert "What tells" not in text(app)
    # The rest of the view is as it was when another class is chosen.
    app.selectbox(key="class_b").set_value("6 Shirt").run()
    assert_sound(app)
    assert not app.info
    assert compared(app) == 5
    assert (part == "all filters") is ("Filter 5 of conv_layer_3" in text(app))


def test_a_class_and_itself_is_no_matter_for_ten_classes(open_page: Open) -> None:
    app = compare(open_page, "ten classes", class_a=9, class_b=9)
    assert_sound(app)
    assert not app.info


def test_a_layer_that_is_no_convolution(open_page: Open) -> None:
    for layer in ("pool_layer_4", "dense_layer_6"):
        app = compare(open_page, layer=layer)
        assert_sound(app)
        assert "Only a convolution has filters of its own" in text(app)
        assert not app.get("vega_lite_chart")


def test_nothing_was_measured(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "insights", lambda _: None)
    for part in ("one filter", "all filters"):  # the one's bars, the other's chart
        app = compare(open_page, part)
        assert_sound(app)
        assert text(app).count("python -m core.insights") == 1
        assert not app.get("vega_lite_chart")


def test_a_click_chooses_the_filter(open_page: Open) -> None:
    app = compare(open_page, layer="conv_layer_3", filter=7)
    before = chart(app)
    click(app, {"picked": [{"filter": 40}]})
    assert_sound(app)
    assert app.query_params["filter"] == "40"
    assert "Filter 40 of conv_layer_3" in text(app)
    rows = shown(app)
    assert rows["filter"][rows["chosen"]].tolist() == [40]
    # Else the browser would draw the chart anew.
    assert (chart(app).id, chart(app).spec) == (before.id, before.spec)
    app.segmented_control(key="compare").set_value("one filter").run()
    assert compared(app) == 40


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"picked": {}},
        {"picked": "x"},
        {"picked": [3]},
        {"picked": [{}]},
        {"picked": [{"filter": 64}]},
        {"picked": [{"filter": -1}]},
        {"picked": [{"filter": 3.5}]},
        {"picked": [{"filter": True}]},
        {"picked": [{"filter": "<b>"}]},
        {"other": [{"filter": 3}]},
    ],
)
def test_any_other_message_of_the_browser_changes_nothing(
    open_page: Open, selection: object
) -> None:
    app = click(compare(open_page, layer="conv_layer_3", filter=7), selection)
    assert_sound(app)
    assert app.query_params["filter"] == "7"


def test_the_average_maps(open_page: Open) -> None:
    app = compare(open_page, model="tutorial", layer="conv_layer_3", class_b=6)
    rows = shown(app)
    best = rows["filter"][np.argsort(-np.abs(rows["auc"] - 0.5), kind="stable")[:4]].tolist()
    columns = re.findall(r"filter (\d+)<br>", html(app))
    assert [int(column) for column in columns] == best
    for index in best:
        for name in ("T-shirt/top", "Shirt"):
            assert html(app).count(f'alt="Mean map of filter {index}, {name}"') == 1
        assert f"Difference of filter {index}&#x27;s mean maps" in html(app)


def test_visitors_look_at_the_same_chart(open_page: Open) -> None:
    """It is made once, and neither Streamlit nor a visitor changes it."""
    first = chart(compare(open_page, layer="conv_layer_3", filter=7))
    other = chart(compare(open_page, layer="conv_layer_3", filter=8))
    again = chart(compare(open_page, layer="conv_layer_3", filter=7))
    assert first.spec == other.spec
    assert first == again
    assert first.datasets != other.datasets


def test_a_control_is_where_it_is_used_and_keeps_its_value(open_page: Open) -> None:
    address = {"class_a": 2, "class_b": 6, "examples": 3, "images_b": "7, 26", "filter": 5}
    app = compare(open_page, "one filter", layer="conv_layer_3", **address)
    first = asked(app, "filter_pair")
    controls = {
        "one filter": {"class_a", "class_b", "images_a", "images_b", "examples"},
        "all filters": {"class_a", "class_b", "layer"},
        "ten classes": set(),
    }
    kinds = ("selectbox", "slider", "button_group", "text_input")
    for part in ("ten classes", "all filters", "ten classes", "one filter"):
        app.segmented_control(key="compare").set_value(part).run()
        assert_sound(app)
        there = {widget.key for kind in kinds for widget in app.get(kind)}
        assert there - {"model", "compare"} == controls[part]
        if part != "ten classes":
            assert compared(app) == 5
        if part == "all filters":
            assert "Filter 5 of conv_layer_3" in text(app)
    assert asked(app, "filter_pair") == first
    for key, value in address.items():
        assert app.query_params[key] == str(value)


@pytest.mark.parametrize("count", [1, 3, 10, 128])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_layers_of_other_sizes(count: int, spread: float) -> None:
    """Also where all filters are equal, as dead ones are."""
    rng = np.random.default_rng(count)
    auc = 0.5 + spread * rng.uniform(-1, 1, count)
    lost = np.rint(40 * spread * rng.uniform(-1, 1, count)).astype(np.intp)
    found = Separation(auc, auc - 0.01 * spread, auc + 0.01 * spread, 2000, 1900, lost)
    spec = dict(evidence_and_effect_chart(found, ("A", "B"), 0))
    rows = pyarrow.ipc.open_stream(spec.pop("datasets")["rows"]).read_pandas()
    assert len(rows["interval"]) == count
    assert np.isfinite(rows.select_dtypes("number")).all(axis=None)
    assert json.dumps(spec, allow_nan=False)
    words = verdict(found, ("A", "B")) + correlation(found)
    assert not re.search(r"\bnan\b|\binf\b|None", words)
    assert ("tells the two apart" in words) is (spread == 0)
    assert ("Rank correlation" in words) is (spread > 0 and count > 1)
    assert found.separates.sum() == (max(count // 8, 1) if spread else 0)
