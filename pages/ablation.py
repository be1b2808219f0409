"""Filters switched off, and what the network can still tell without them."""

import random
from collections.abc import Callable, Collection
from functools import partial

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import cache
from core.dataset import CLASS_NAMES
from core.evidence import ablation
from core.evidence.ablation import Off
from core.evidence.answers import Answers
from core.evidence.insights import Insights
from core.network import Layer
from core.pictures import images
from core.pictures.images import sheet_uri
from ui import charts, controls, counting, frame, html
from ui.components.contact_sheet import COLUMNS, contact_sheet
from ui.counting import Wanted
from ui.downloads import downloads
from ui.fragments import fragment

frame.start_page()
view = frame.view()

FEW, MANY = 8, 32  # filters in the sets that the menus offer
BEFORE_AFTER = ("all filters on", "these off")
layers = ablation.convolutions(view.network)
test = cache.split("test")


def switch(layer: Layer, filters: Collection[int]) -> None:
    """Switches these filters of a layer off and its others on; other layers stay as they are."""
    # As they are now: a second click may come before the first one's page.
    off, _ = controls.filters_off(view.network)
    every = {one.name: off.get(one.name, ()) for one in layers} | {layer.name: tuple(filters)}
    controls.switch_off({name: sorted(chosen) for name, chosen in every.items() if chosen})


def toggle(layer: Layer, index: int) -> None:
    """Switches one filter over."""
    off, _ = controls.filters_off(view.network)
    switch(layer, set(off.get(layer.name, ())) ^ {index})


def cheapest_first(layer: Layer) -> list[int]:
    """A layer's filters by what they cost alone."""
    lost, _ = alone[layer.name]
    return [int(index) for index in np.argsort(lost, kind="stable")]


def sets(off: Off, layer: Layer) -> dict[str, Callable[[], Collection[int]]]:
    """Sets of a layer's filters that are worth a try, by name."""
    every = range(layer.output_shape[-1])
    found: dict[str, Callable[[], Collection[int]]] = {
        "none of them": lambda: (),
        "all of them": lambda: every,
        "all but those off now": lambda: set(every) - set(off.get(layer.name, ())),
        f"{FEW} at random": lambda: random.sample(every, min(FEW, len(every))),
    }
    if insights is not None:
        found[f"the {FEW} that cost most alone"] = lambda: cheapest_first(layer)[-FEW:]
        found[f"the {MANY} that cost least alone"] = lambda: cheapest_first(layer)[:MANY]
    return found


def peaks(maps: npt.NDArray[np.float32]) -> list[str]:
    """The largest value of each map, in words."""
    return [f"peak {peak:.3f}" for peak in maps.max(axis=(0, 1)).tolist()]


def switches(off: Off, layer: Layer) -> None:
    """A layer's maps of the image in view, each of which a click switches off or on."""
    key, choices, now = f"set_{layer.name}", sets(off, layer), off.get(layer.name, ())
    maps = view.activations[layer.name]
    count = maps.shape[2]
    shown = ("switches", view.model.key, view.index, layer.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        html.show(html.title(layer.name, f"{len(now)} of {count} filters off"))
        st.menu_button(
            "Switch off",
            list(choices),
            key=key,
            on_click=lambda: switch(layer, choices[st.session_state[key]]()),
        )
    contact_sheet(
        np.moveaxis(maps, 2, 0),
        range(count),
        cache.once(partial(peaks, maps), *shown),
        None,
        key=f"switches_{layer.name}",
        on_pick=lambda index: toggle(layer, index),
        side=34,
        what="switch off filter",
        scale=None,
        off=now,
        sheet=cache.kept(partial(sheet_uri, maps, COLUMNS, None), *shown),
    )


def effects(off: Off, layer: Layer, domain: tuple[float, float]) -> None:
    """Draw the accuracy lost without each filter of a layer, the largest loss first."""
    key = f"effects_{layer.name}"

    def pick() -> None:
        for bar in controls.clicked(key, "filter"):
            index = bar.get("filter")
            if type(index) is int and 0 <= index < layer.output_shape[-1]:
                toggle(layer, index)

    lost, class_lost = alone[layer.name]
    html.show(html.title(f"Each filter of {layer.name} alone off", "points of accuracy lost"))
    st.vega_lite_chart(
        charts.filter_effects(lost, class_lost, off.get(layer.name, ()), domain),
        key=key,
        on_select=pick,
        height=180,
        alt=f"Bars of the accuracy lost without each filter of {layer.name}; most without filter "
        f"{int(lost.argmax())}: {lost.max():.2f} points.",
    )


def effects_csv(insights: Insights) -> bytes:
    """The accuracy without each filter, overall and in each class, as a CSV file."""
    return images.table_csv(
        ("layer", "filter", "accuracy without it", *CLASS_NAMES),
        [
            (layer.name, index, accuracy, *of_classes)
            for layer in layers
            for index, (accuracy, of_classes) in enumerate(
                zip(
                    insights.filters[layer.name].ablation_accuracy.tolist(),
                    insights.filters[layer.name].ablation_class_accuracy.tolist(),
                    strict=True,
                )
            )
        ],
    )


def prediction(off: Off) -> str:
    """The class probabilities of the image in view, before and after."""
    after = ablation.predict(view.network, view.activations, off, means if to_mean else None)
    best, was = int(after.argmax()), view.prediction
    rows = [
        (name, pair)
        for name, *pair in zip(
            CLASS_NAMES, view.probabilities.tolist(), after.tolist(), strict=True
        )
    ]
    return (
        html.title("Prediction", view.title)
        + html.note(
            f"{'Still' if best == was else 'Now'} <b>{CLASS_NAMES[best]}</b> with "
            f"{after[best]:.1%}; with all filters on {CLASS_NAMES[was]} with "
            f"{view.probabilities[was]:.1%}."
        )
        + html.paired_bars(rows, BEFORE_AFTER, shares=True)
    )


def accuracy(before: Answers, after: Answers, words: str) -> str:
    """Return the accuracy as HTML, overall and in each class, before and after."""
    low, high = after.interval
    rows = [
        (name, pair)
        for name, *pair in zip(
            CLASS_NAMES, before.class_accuracy, after.class_accuracy, strict=True
        )
    ]
    return (
        html.title("Accuracy", f"{after.accuracy:.2%}, with all filters on {before.accuracy:.2%}")
        + html.note(f"{words} 95 % interval: {low:.1%} to {high:.1%}.")
        + html.paired_bars(rows, BEFORE_AFTER, shares=True)
    )


def accuracies(wanted: Wanted, timed: bool) -> None:
    """The accuracy on a sample or, once they were counted, on all test images."""
    model, off, mean = wanted
    before = after = None
    if insights is not None:
        before = cache.counted_answers(model, "", to_mean=False)
        after = cache.counted_answers(model, off, mean)
    counted = before is not None and after is not None
    if counted and timed:
        st.rerun()
    words = f"Counted over all {len(test.labels):,} test images."
    if before is None or after is None:
        before = cache.sample_answers(model, "", to_mean=False)
        after = cache.sample_answers(model, off, mean)
        words = (
            f"Of {sum(after.counts):,} test images, {after.counts[0]} of each class, always the "
            "same ones."
        )
    told = (before, after, words)
    html.show(cache.kept(partial(accuracy, *told), "accuracy off", *told))
    rows = list(zip(CLASS_NAMES, after.counts, before.right, after.right, strict=True))
    header = ("class", "images", "right with all on", "right with these off")
    downloads(("Accuracy (CSV)", "filters_off.csv", lambda: images.table_csv(header, rows)))
    if not counted and insights is not None:
        counting.count(wanted, timed)


@fragment
def board() -> None:
    """All that depends on which filters are off."""
    off, wrong = controls.filters_off(view.network)
    wanted = (view.model, ablation.spell(off), to_mean)
    timed = counting.running(wanted)
    controls.refuse_filters(off, wrong)
    left, right = st.columns([13, 8], gap="medium")
    with left:
        for layer in layers:
            switches(off, layer)
        html.show(
            html.note(
                "The maps of the image in view, each on its own scale; a click switches a filter "
                "off, crossed out, or on again. What comes before it stays as it is; the layers "
                "behind it get a map that says nothing about the image any more."
            )
        )
        if insights is None:
            html.show(html.note(problem))
        else:
            lost = np.concatenate([each for each, _ in alone.values()])
            domain = (min(float(lost.min()), 0.0), max(float(lost.max()), 0.1))
            for layer in layers:
                effects(off, layer, domain)
            html.show(
                html.note(
                    "Counted over all 10,000 test images, with the map at 0; a filter's number is "
                    "below its bar, red is one that is off now. One point is 100 images. A bar "
                    "below 0: more right answers without it. Point at a bar for the class that "
                    "loses most; click it to switch the filter. <b>Look for</b> how little most "
                    "filters cost alone. Then switch off the 32 that cost least, together: they "
                    "stood in for each other."
                )
            )
            downloads(
                ("Each filter alone (CSV)", "each_filter_off.csv", partial(effects_csv, insights)),
                key="download_effects",
            )
    with right:
        key = ("prediction off", view.model.key, view.index, *wanted[1:])
        html.show(cache.kept(partial(prediction, off), *key))
        if timed:  # a fragment for the clock alone: one costs as much as two widgets
            fragment(accuracies, run_every=counting.PERIOD)(wanted, timed)
        else:
            accuracies(wanted, timed)


st.header("Switch filters off", anchor=False)
if not layers:
    name = html.as_text(view.model.folder.name)
    st.info(f"The model {name} has no convolution, so no filters.")
    st.stop()
insights, problem = frame.measured(view)
means = cache.means(view.model) if insights is not None else None
# What each filter costs, overall and in each class.
alone = {one.name: cache.lost_alone(view.model, one.name) for one in layers if insights is not None}
with st.container(horizontal=True, vertical_alignment="bottom"):
    to_mean = controls.off_means_mean() and means is not None  # known, once it is measured
    html.show(
        html.note(
            "<b>0</b> is what a filter gives that finds nothing. <b>Its mean</b> over all test "
            "images and positions says nothing about this image either, but does not shift what "
            "the next layer adds up: so it takes away the filter's message alone."
        )
    )
board()
html.show(
    html.note(
        html.link(
            controls.address("ablation", image=controls.DEFAULT_IMAGE),
            f"As in the tutorial: test image {controls.DEFAULT_IMAGE}, all filters on",
        )
        + f". {html.NUMBERS_DIFFER}"
    )
)
