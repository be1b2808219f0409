"""Filters switched off by hand, and the count that a process of its own does."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Page, expect

from core.dataset import load_split
from core.models import model_folder
from tests.browser.conftest import Visit
from tests.harness.app import assert_parameters, main, parameters, wait_until_idle
from tests.harness.server import Server


def switch(page: Page, layer: str, index: int) -> None:
    """Clicks on a filter's map."""
    maps = page.locator(f".st-key-switches_{layer}")
    maps.get_by_role("button", name=f"switch off filter {index}, ").click()


def test_filters_are_switched_by_hand(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/ablation?model=tutorial&image=77")
    switch(page, "conv_layer_1", 3)
    assert_parameters(page, off="conv_layer_1%3A3")
    switch(page, "conv_layer_3", 5)
    switch(page, "conv_layer_1", 17)
    assert_parameters(page, off="conv_layer_1%3A3%2C17%3Bconv_layer_3%3A5")
    expect(main(page).get_by_text("conv_layer_1 2 of 64 filters off")).to_be_visible()
    switch(page, "conv_layer_1", 3)
    assert_parameters(page, off="conv_layer_1%3A17%3Bconv_layer_3%3A5")
    page.go_back()
    expect(main(page).get_by_text("conv_layer_1 2 of 64 filters off")).to_be_visible()
    off = page.get_by_role("button", name="switch off filter 3, ", pressed=True)
    expect(off).to_have_count(1)


def test_a_bar_switches_its_filter(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/ablation?model=tutorial&off=conv_layer_3:5")
    insights = model_folder.ModelFolder(model_folder.MODELS_DIR / "tutorial").read().insights()
    assert insights is not None
    without = insights.filters["conv_layer_1"].ablation_accuracy
    dearest = np.argsort(without, kind="stable")[:2].tolist()
    chart = page.locator(".st-key-effects_conv_layer_1")
    bars = chart.locator(".mark-rect.role-mark path")
    expect(bars).to_have_count(64)
    blue, vermilion = "#0072b2", "#d55e00"
    expect(bars.nth(0)).to_have_attribute("fill", blue)
    # So that it shows whether the chart is drawn anew.
    bars.nth(63).evaluate("bar => bar.dataset.seen = 'before'")
    for position in (0, 1):
        bars.nth(position).click()
        expect(bars.nth(position)).to_have_attribute("fill", vermilion)
    words = "%2C".join(map(str, sorted(dearest)))
    assert_parameters(page, off=f"conv_layer_1%3A{words}%3Bconv_layer_3%3A5")
    bars.nth(0).click()
    expect(bars.nth(0)).to_have_attribute("fill", blue)
    assert_parameters(page, off=f"conv_layer_1%3A{dearest[1]}%3Bconv_layer_3%3A5")
    assert bars.nth(63).evaluate("bar => bar.dataset.seen") == "before"


def test_a_set_from_the_menu(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/ablation?model=tutorial")
    insights = model_folder.ModelFolder(model_folder.MODELS_DIR / "tutorial").read().insights()
    assert insights is not None
    main(page).get_by_role("button", name="Switch off", exact=True).last.click()
    page.get_by_text("the 32 that cost least alone").click()
    expect(main(page).get_by_text("conv_layer_3 32 of 64 filters off")).to_be_visible()
    chosen = [int(word) for word in parameters(page)["off"].split(":")[1].split(",")]
    accuracy = insights.filters["conv_layer_3"].ablation_accuracy
    others = np.setdiff1d(np.arange(64), chosen)
    assert accuracy[chosen].min() >= accuracy[others].max()


def test_a_count_can_be_cancelled_and_ends_exact(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/ablation?model=tutorial&off=conv_layer_3:5")
    count = page.get_by_role("button", name="Count over all 10,000")
    count.click()
    expect(page.get_by_text("All 10,000 test images: counting")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("All 10,000 test images: counting")).to_have_count(0)
    count.click()
    # A nice process of seconds, on a machine that may be busy.
    counted = page.get_by_text("Counted over all 10,000 test images.")
    expect(counted).to_be_visible(timeout=120_000)
    wait_until_idle(page)
    insights = model_folder.ModelFolder(model_folder.MODELS_DIR / "tutorial").read().insights()
    assert insights is not None
    alone = float(insights.filters["conv_layer_3"].ablation_accuracy[5])
    whole = insights.accuracy(load_split("test").labels)
    words = main(page).locator(".figure-title", has_text=re.compile("^Accuracy ")).inner_text()
    assert words == f"Accuracy {alone:.2%}, with all filters on {whole:.2%}"
