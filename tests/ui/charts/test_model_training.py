"""The curves of the trainings: one axis for all, and only over-fitting is shaded."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.model_folder import MODELS_DIR, ModelFolder
from core.pictures.colours import SPLIT_COLOURS
from ui.charts import model_training as charts

MEASURES = ("loss", "accuracy")


def history(
    train: list[tuple[float, float]], other: list[tuple[float, float]], split: str = "test"
) -> pd.DataFrame:
    """Return a history of (loss, accuracy) after each epoch."""
    columns: dict[str, Any] = {"epoch": range(1, len(train) + 1)}
    for name, figures in (("train", train), (split, other)):
        for position, measure in enumerate(MEASURES):
            columns[f"{name}_{measure}"] = [float(figure[position]) for figure in figures]
    return pd.DataFrame(columns)


# Two epochs, of which the first is the worst of all models in every figure.
FAST = history([(0.9, 0.65), (0.5, 0.82)], [(0.6, 0.78), (0.45, 0.84)])
# It begins to over-fit between the first epoch and the second.
CROSSING = history([(0.5, 0.80), (0.3, 0.90)], [(0.4, 0.85), (0.4, 0.85)], "validation")
HISTORIES = [FAST, CROSSING, ModelFolder(MODELS_DIR / "tutorial").read().history()]


def figures_of(table: pd.DataFrame, measure: str) -> np.ndarray:
    split = charts.held_out(table)
    return np.concatenate([table[f"{name}_{measure}"] for name in ("train", split)])


@pytest.mark.parametrize("measure", MEASURES)
def test_the_common_axis_holds_each_point_of_each_model(measure: str) -> None:
    low, high = charts.domain(HISTORIES, measure)
    for table in HISTORIES:
        assert (figures_of(table, measure) > low).all()
        assert (figures_of(table, measure) < high).all()
        for layer in charts.curves(table, measure, (low, high))["layer"]:
            y = layer["encoding"].get("y")
            assert y is None or y["scale"] == {"domain": (low, high)}
            assert "clip" not in layer["mark"]


def test_the_axis_ends_where_shares_do() -> None:
    perfect = history([(0.0, 1.0)], [(0.0, 1.0)])
    assert charts.domain([perfect], "accuracy") == (0.95, 1.0)
    assert charts.domain([perfect], "loss") == (0.0, 0.05)
    assert charts.domain([history([(9.0, 0.0)], [(0.1, 0.1)])], "accuracy")[0] == 0.0


def shaded(table: pd.DataFrame, measure: str) -> list[dict[str, float]]:
    (area,) = [
        layer
        for layer in charts.curves(table, measure, (0, 1))["layer"]
        if layer["mark"]["type"] == "area"
    ]
    assert area["encoding"]["y"]["field"] == "better"
    assert area["encoding"]["y2"]["field"] == "held out"
    outline: list[dict[str, float]] = area["data"]["values"]
    return outline


@pytest.mark.parametrize("measure", MEASURES)
def test_where_the_network_is_worse_on_what_it_learns_from_nothing_is_shaded(measure: str) -> None:
    for row in shaded(FAST, measure):
        assert row["better"] == row["held out"]


def test_the_shade_begins_where_the_lines_cross() -> None:
    accuracy = shaded(CROSSING, "accuracy")
    assert [tuple(row.values()) for row in accuracy] == [
        (1, 0.85, 0.85),
        (pytest.approx(1.5), pytest.approx(0.85), pytest.approx(0.85)),
        (2, 0.90, 0.85),
    ]
    assert [row["better"] for row in shaded(CROSSING, "loss")] == [
        pytest.approx(0.4),
        pytest.approx(0.4),
        0.3,
    ]


SHARES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8)


@pytest.mark.parametrize("measure", MEASURES)
@given(pairs=SHARES)
def test_the_shade_lies_between_the_lines(measure: str, pairs: list[tuple[float, float]]) -> None:
    table = history([(train, train) for train, _ in pairs], [(other, other) for _, other in pairs])
    rows = shaded(table, measure)
    epochs = [row["epoch"] for row in rows]
    assert all(first <= second for first, second in pairwise(epochs))
    for row in rows:
        train, other = (
            np.interp(row["epoch"], table["epoch"], table[f"{name}_{measure}"])
            for name in ("train", "test")
        )
        better = max(train, other) if measure == "accuracy" else min(train, other)
        assert row["held out"] == pytest.approx(other, abs=1e-6)
        assert row["better"] == pytest.approx(better, abs=1e-6)


def test_the_legend_names_the_lines_and_the_gap_and_vega_draws_none() -> None:
    for table in HISTORIES:
        split = charts.held_out(table)
        assert charts.curve_colours(table) == {
            "train": SPLIT_COLOURS["train"],
            split: SPLIT_COLOURS[split],
            charts.GAP: charts.GAP_COLOUR,
        }
        for measure in MEASURES:
            for layer in charts.curves(table, measure, (0, 1))["layer"]:
                assert layer["encoding"].get("color", {"legend": None})["legend"] is None
