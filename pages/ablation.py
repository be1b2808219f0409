"""Filters switched off, and what the network can still tell without them."""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import cache, memo
from core.dataset import CLASS_NAMES
from core.evidence import ablation
from core.evidence.ablation import Off
from core.evidence.insights import Insights
from core.network import Layer
from core.pictures import export
from core.pictures.sheets import sheet_uri
from ui import controls, counting, markup, state
from ui.charts import ablation as charts
from ui.components.contact_sheet import COLUMNS, contact_sheet
from ui.counting import Wanted
from ui.downloads import downloads
from ui.fragments import fragment
from ui.view import View, measured

FEW, MANY = 8, 32  # filters in the sets that the menus offer
MIN_LOSS_SHOWN = 0.1  # percentage points that the axis of the losses shows above 0


def page(view: View) -> None:
    """Draw the page."""
    st.header("Switch filters off", anchor=False)
    if not ablation.convolutions(view.network):
        name = markup.as_text(view.model.folder.name)
        st.info(f"The model {name} has no convolution, so no filters.")
        return
    insights, _ = measured(view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # A filter's mean is known once it is measured.
        to_mean = controls.off_means_mean() and insights is not None
        markup.show(
            markup.note(
                "<b>0</b> is what a filter gives that finds nothing. <b>Its mean</b> over all test "
                "images and positions says nothing about this image either, but does not shift "
                "what the next layer adds up: so it takes away the filter's message alone."
            )
        )
    board(Ablation(view, to_mean))
    markup.show(
        markup.note(
            markup.link(
                state.address("ablation", image=state.DEFAULT_IMAGE, off=""),
                f"As in the tutorial: test image {state.DEFAULT_IMAGE}, all filters on",
            )
            + f". {markup.NUMBERS_DIFFER}"
        )
    )


@dataclass(frozen=True)
class Ablation:
    """The network whose filters are switched off.

    Attributes:
        view: The model and the image in view.
        to_mean: Whether a filter that is off gives its mean everywhere, and not 0.
    """

    view: View
    to_mean: bool

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers whose filters can be switched off."""
        return ablation.convolutions(self.view.network)


@fragment
def board(chosen: Ablation) -> None:
    """Draw all that depends on which filters are off."""
    view = chosen.view
    off = controls.filters_off(view.network)
    wanted = (view.model, ablation.spell(off), chosen.to_mean)
    timed = counting.running(wanted)
    left, right = st.columns([13, 8], gap="medium")
    with left:
        for layer in chosen.layers:
            switches(view, off, layer)
        markup.show(
            markup.note(
                "The maps of the image in view, each on its own scale; a click switches a filter "
                "off, crossed out, or on again. What comes before it stays as it is; the layers "
                "behind it get a map that says nothing about the image any more."
            )
        )
        all_effects(chosen, off)
    with right:
        markup.show(
            memo.kept(
                partial(prediction, chosen, off),
                *("prediction off", view.model.key, view.index, *wanted[1:]),
            )
        )
        if timed:  # a fragment for the clock alone: one costs as much as two widgets
            fragment(accuracies, run_every=counting.PERIOD)(view, wanted, timed)
        else:
            accuracies(view, wanted, timed)


def switches(view: View, off: Off, layer: Layer) -> None:
    """Draw a layer's maps of the image in view; a click on one switches its filter."""
    key, choices, now = f"set_{layer.name}", filter_sets(view, off, layer), off.get(layer.name, ())
    maps = view.activations[layer.name]
    count = maps.shape[2]
    shown = ("switches", view.model.key, view.index, layer.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        markup.show(markup.title(layer.name, f"{len(now)} of {count} filters off"))
        st.menu_button(
            "Switch off",
            list(choices),
            key=key,
            on_click=lambda: switch(view, layer, choices[st.session_state[key]]()),
        )
    contact_sheet(
        np.moveaxis(maps, 2, 0),
        range(count),
        memo.once(partial(peak_words, maps), *shown),
        None,
        key=f"switches_{layer.name}",
        on_pick=lambda index: toggle(view, layer, index),
        side=34,
        what="switch off filter",
        scale=None,
        off=now,
        sheet=memo.kept(partial(sheet_uri, maps, COLUMNS, None), *shown),
    )


def filter_sets(view: View, off: Off, layer: Layer) -> dict[str, Callable[[], Collection[int]]]:
    """Return sets of a layer's filters that are worth a try, by name."""
    every = range(layer.output_shape[-1])
    sets: dict[str, Callable[[], Collection[int]]] = {
        "none of them": lambda: (),
        "all of them": lambda: every,
        "all but those off now": lambda: set(every) - set(off.get(layer.name, ())),
        f"{FEW} at random": lambda: random.sample(every, min(FEW, len(every))),
    }
    if measured(view)[0] is not None:
        sets[f"the {FEW} that cost most alone"] = lambda: cheapest_first(view, layer)[-FEW:]
        sets[f"the {MANY} that cost least alone"] = lambda: cheapest_first(view, layer)[:MANY]
    return sets


def cheapest_first(view: View, layer: Layer) -> list[int]:
    """Return a layer's filters by what they cost alone."""
    lost, _ = cache.lost_alone(view.model, layer.name)
    return [int(index) for index in np.argsort(lost, kind="stable")]


def peak_words(maps: npt.NDArray[np.float32]) -> list[str]:
    """Return the largest value of each map, in words."""
    return [f"peak {peak:.3f}" for peak in maps.max(axis=(0, 1)).tolist()]


def switch(view: View, layer: Layer, filters: Collection[int]) -> None:
    """Switch these filters of a layer off and its others on; other layers stay as they are."""
    # As they are now: a second click may come before the first one's page.
    off = controls.filters_off(view.network)
    names = [one.name for one in ablation.convolutions(view.network)]
    every = {name: off.get(name, ()) for name in names} | {layer.name: tuple(filters)}
    off = {name: sorted(filters) for name, filters in every.items() if filters}
    state.set_parameters(off=ablation.spell(off))


def toggle(view: View, layer: Layer, index: int) -> None:
    """Switch one filter over."""
    off = controls.filters_off(view.network)
    switch(view, layer, set(off.get(layer.name, ())) ^ {index})


def all_effects(chosen: Ablation, off: Off) -> None:
    """Draw the accuracy lost without each filter, by layer, and how to read it."""
    view, layers = chosen.view, chosen.layers
    insights, problem = measured(view)
    if insights is None:
        markup.show(markup.note(problem))
        return
    lost = np.concatenate([cache.lost_alone(view.model, layer.name)[0] for layer in layers])
    domain = (min(float(lost.min()), 0.0), max(float(lost.max()), MIN_LOSS_SHOWN))
    for layer in layers:
        effects(view, off, layer, domain)
    markup.show(
        markup.note(
            "Counted over all 10,000 test images, with the map at 0; a filter's number is "
            "below its bar, red is one that is off now. One point is 100 images. A bar "
            "below 0: more right answers without it. Point at a bar for the class that "
            "loses most; click it to switch the filter. <b>Look for</b> how little most "
            "filters cost alone. Then switch off the 32 that cost least, together: they "
            "stood in for each other."
        )
    )
    downloads(
        ("Each filter alone (CSV)", "each_filter_off.csv", partial(effects_csv, layers, insights)),
        key="download_effects",
    )


def effects(view: View, off: Off, layer: Layer, domain: tuple[float, float]) -> None:
    """Draw the accuracy lost without each filter of a layer, the largest loss first."""
    key = f"effects_{layer.name}"

    def toggle_clicked_filter() -> None:
        for bar in controls.clicked(key, "filter"):
            index = bar.get("filter")
            if type(index) is int and 0 <= index < layer.output_shape[-1]:
                toggle(view, layer, index)

    lost, class_lost = cache.lost_alone(view.model, layer.name)
    markup.show(markup.title(f"Each filter of {layer.name} alone off", "points of accuracy lost"))
    st.vega_lite_chart(
        charts.filter_effects(lost, class_lost, off.get(layer.name, ()), domain),
        key=key,
        on_select=toggle_clicked_filter,
        height=180,
        alt=f"Bars of the accuracy lost without each filter of {layer.name}; most without filter "
        f"{int(lost.argmax())}: {lost.max():.2f} points.",
    )


def effects_csv(layers: Sequence[Layer], insights: Insights) -> bytes:
    """Return the accuracy without each filter, overall and in each class, as a CSV file."""
    return export.table_csv(
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


def prediction(chosen: Ablation, off: Off) -> str:
    """Return the class probabilities of the image in view, before and after, HTML."""
    view = chosen.view
    means = cache.means(view.model) if chosen.to_mean else None
    after = ablation.predict(view.network, view.activations, off, means)
    return charts.prediction(view.title, view.probabilities, after)


def accuracies(view: View, wanted: Wanted, timed: bool) -> None:
    """Draw the accuracy on a sample or, once they were counted, on all test images."""
    model, off, to_mean = wanted
    insights, _ = measured(view)
    before = after = None
    if insights is not None:
        before = cache.counted_answers(model, "", to_mean=False)
        after = cache.counted_answers(model, off, to_mean)
    counted = before is not None and after is not None
    if counted and timed:
        st.rerun()
    words = f"Counted over all {len(cache.split('test').labels):,} test images."
    if before is None or after is None:
        before = cache.sample_answers(model, "", to_mean=False)
        after = cache.sample_answers(model, off, to_mean)
        words = (
            f"Of {sum(after.counts):,} test images, {after.counts[0]} of each class, always the "
            "same ones."
        )
    shown = (before, after, words)
    markup.show(memo.kept(partial(charts.accuracy, *shown), "accuracy off", *shown))
    rows = list(zip(CLASS_NAMES, after.counts, before.right, after.right, strict=True))
    header = ("class", "images", "right with all on", "right with these off")
    downloads(("Accuracy (CSV)", "filters_off.csv", lambda: export.table_csv(header, rows)))
    if not counted and insights is not None:
        counting.count(wanted, timed)


if __name__ == "__main__":  # see docs/architecture.md, "Started as a plain script"
    import pages

    pages.run()
