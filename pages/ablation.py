"""Filters switched off, and what the network can still tell without them."""

import random
from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import partial

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import ablation, cache, images
from core.ablation import Answers, Off
from core.cache import Version
from core.dataset import CLASS_NAMES, to_input
from core.insights import Insights
from core.jobs import Job, TooManyJobs
from core.network import Layer
from ui import charts, controls, figures, frame
from ui.contact_sheet import contact_sheet
from ui.downloads import downloads

frame.start_page()
view = frame.view()

FEW, MANY = 8, 32  # filters in the sets that the menus offer
BEFORE_AFTER = ("all filters on", "these off")
Wanted = tuple[Version, str, bool]  # the model, the filters that are off, whether to their mean
layers = ablation.convolutions(view.network)
test = cache.split("test")


def lost_alone(insights: Insights, layer: Layer) -> npt.NDArray[np.float64]:
    """Percentage points of accuracy that each filter costs when it alone is off, (filters,)."""
    without = insights.filters[layer.name].ablation_accuracy.astype(np.float64)
    return 100 * (insights.accuracy(test.labels) - without)


def class_lost_alone(insights: Insights, layer: Layer) -> npt.NDArray[np.float64]:
    """The same among the images of each class, (filters, 10)."""
    without = insights.filters[layer.name].ablation_class_accuracy.astype(np.float64)
    return 100 * (insights.class_accuracy(test.labels) - without)


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
        order = np.argsort(lost_alone(insights, layer), kind="stable").tolist()
        found[f"the {FEW} that cost most alone"] = lambda: order[-FEW:]
        found[f"the {MANY} that cost least alone"] = lambda: order[:MANY]
    return found


def switches(off: Off, layer: Layer) -> None:
    """A layer's maps of the image in view, each of which a click switches off or on."""
    key, choices, now = f"set_{layer.name}", sets(off, layer), off.get(layer.name, ())
    maps = view.activations[layer.name]
    count = maps.shape[2]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(figures.title(layer.name, f"{len(now)} of {count} filters off"))
        st.menu_button(
            "Switch off",
            list(choices),
            key=key,
            on_click=lambda: switch(layer, choices[st.session_state[key]]()),
        )
    contact_sheet(
        np.moveaxis(maps, 2, 0),
        range(count),
        [f"peak {peak:.3f}" for peak in maps.max(axis=(0, 1))],
        None,
        key=f"switches_{layer.name}",
        on_pick=lambda index: toggle(layer, index),
        side=34,
        what="switch off filter",
        scale=None,
        off=now,
    )


def effects(off: Off, layer: Layer, insights: Insights, domain: tuple[float, float]) -> None:
    """What each filter of a layer costs when it alone is off, the dearest first."""
    key = f"effects_{layer.name}"

    def pick() -> None:
        # What comes from a browser may be anything.
        for point in st.session_state[key].selection.get("filter", []):
            if point.get("filter") in range(layer.output_shape[-1]):
                toggle(layer, int(point["filter"]))

    lost = lost_alone(insights, layer)
    st.html(figures.title(f"Each filter of {layer.name} alone off", "points of accuracy lost"))
    st.vega_lite_chart(
        charts.filter_effects(
            lost, class_lost_alone(insights, layer), off.get(layer.name, ()), domain
        ),
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
    changed = ablation.switched_off(view.network, off, means if to_mean else None)
    after = changed.predict(to_input(view.image[np.newaxis]))[0]
    best, was = int(after.argmax()), view.prediction
    rows = [
        (name, pair)
        for name, *pair in zip(
            CLASS_NAMES, view.probabilities.tolist(), after.tolist(), strict=True
        )
    ]
    return (
        figures.title("Prediction", view.title)
        + figures.note(
            f"{'Still' if best == was else 'Now'} <b>{CLASS_NAMES[best]}</b> with "
            f"{after[best]:.1%}; with all filters on {CLASS_NAMES[was]} with "
            f"{view.probabilities[was]:.1%}."
        )
        + figures.paired_bars(rows, BEFORE_AFTER, shares=True)
    )


def accuracy(before: Answers, after: Answers, words: str) -> str:
    """How often the network is right, overall and in each class, before and after."""
    low, high = after.interval
    rows = [
        (name, pair)
        for name, *pair in zip(
            CLASS_NAMES, before.class_accuracy, after.class_accuracy, strict=True
        )
    ]
    return (
        figures.title(
            "Accuracy", f"{after.accuracy:.2%}, with all filters on {before.accuracy:.2%}"
        )
        + figures.note(f"{words} 95 % interval: {low:.1%} to {high:.1%}.")
        + figures.paired_bars(rows, BEFORE_AFTER, shares=True)
    )


def accuracies(off: Off, timed: bool) -> None:
    """The accuracy on a sample or, once they were counted, on all test images."""
    take_result()
    text = ablation.spell(off)
    before = cache.counted_answers(view.model, "", to_mean=False)
    after = cache.counted_answers(view.model, text, to_mean)
    counted = before is not None and after is not None
    words = f"Counted over all {len(test.labels):,} test images."
    if before is None or after is None:
        before = cache.sample_answers(view.model, "", to_mean=False)
        after = cache.sample_answers(view.model, text, to_mean)
        words = (
            f"Of {sum(after.counts):,} test images, {after.counts[0]} of each class, always the "
            "same ones."
        )
    st.html(accuracy(before, after, words))
    rows = list(zip(CLASS_NAMES, after.counts, before.right, after.right, strict=True))
    header = ("class", "images", "right with all on", "right with these off")
    downloads(("Accuracy (CSV)", "filters_off.csv", lambda: images.table_csv(header, rows)))
    if counted and timed:
        st.rerun()
    if not counted and insights is not None:
        count(off, timed)


def latest_count() -> tuple[Wanted | None, Job | None]:
    """What this session counted last, and the job, which is None where too many were in line."""
    latest: tuple[Wanted | None, Job | None] = st.session_state.get("count", (None, None))
    return latest


def counting(off: Off) -> Job | None:
    """The count over all test images that is under way for these filters."""
    asked, job = latest_count()
    if job is not None and asked == (view.model, ablation.spell(off), to_mean) and not job.done:
        return job
    return None


def count(off: Off, timed: bool) -> None:
    """The way to a count over all test images, which a process of its own does.

    This runs again by itself if `timed`, to show how far that is. Only a run of the whole page
    begins and ends that.
    """
    wanted = (view.model, ablation.spell(off), to_mean)
    job = counting(off)
    if timed != (job is not None):
        st.rerun()
    if job is not None:
        words = f"{job.before} others come first" if job.before else "counting"
        st.progress(job.progress, f"All 10,000 test images: {words}")
        st.button("Cancel", key="cancel_count", on_click=job.cancel)
        return
    asked, job = latest_count()
    if asked == wanted and job is None:
        st.warning("Too many are counting now: please try again soon.")
    elif asked == wanted and job is not None and job.problem:
        st.warning(job.problem)
    st.button("Count over all 10,000", key="count_all", on_click=start_count, args=(wanted,))


def take_result() -> None:
    """Keeps what the latest count of this session has found."""
    asked, job = latest_count()
    if asked is not None and job is not None and job.result is not None:
        found = Answers(tuple(job.result["right"]), tuple(job.result["counts"]))
        cache.keep_count(*asked, found)


def start_count(wanted: Wanted) -> None:
    """Gets in line for a count."""
    model, text, mean = wanted

    def known() -> dict[str, object] | None:
        answers = cache.counted_answers(model, text, mean)
        return asdict(answers) if answers else None

    command = ["core.ablation", str(model.folder.path), text, "--json"]
    try:
        job: Job | None = Job(command + ["--mean"] * mean, known)
    except TooManyJobs:
        job = None
    st.session_state["count"] = (wanted, job)


@st.fragment
def board() -> None:
    """All that depends on which filters are off."""
    off, wrong = controls.filters_off(view.network)
    _, job = latest_count()
    if job is not None and not job.done and counting(off) is None:
        # Other filters are off by now. The whole page runs again, to end the count's timer.
        job.cancel()
        st.rerun()
    if wrong:
        st.caption(f"“{wrong[0][:40]}” in the address is no filter of this model.")
    left, right = st.columns([13, 8], gap="medium")
    with left:
        for layer in layers:
            switches(off, layer)
        st.html(
            figures.note(
                "The maps of the image in view, each on its own scale; a click switches a filter "
                "off, crossed out, or on again. What comes before it stays as it is; the layers "
                "behind it get a map that says nothing about the image any more."
            )
        )
        if insights is None:
            st.html(figures.note(problem))
        else:
            lost = np.concatenate([lost_alone(insights, layer) for layer in layers])
            domain = (min(float(lost.min()), 0.0), max(float(lost.max()), 0.1))
            for layer in layers:
                effects(off, layer, insights, domain)
            st.html(
                figures.note(
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
        st.html(prediction(off))
        timed = counting(off) is not None
        st.fragment(accuracies, run_every=0.5 if timed else None)(off, timed)


st.header("Switch filters off", anchor=False)
if not layers:
    st.info(f"The model {view.model.folder.name} has no convolution, so no filters.")
    st.stop()
insights, problem = frame.measured(view)
means = cache.means(view.model) if insights is not None else None
with st.container(horizontal=True, vertical_alignment="bottom"):
    to_mean = controls.off_means_mean() and means is not None
    st.html(
        figures.note(
            "<b>0</b> is what a filter gives that finds nothing. <b>Its mean</b> over all test "
            "images and positions says nothing about this image either, but does not shift what "
            "the next layer adds up: so it takes away the filter's message alone."
        )
    )
board()
st.html(
    figures.note(
        figures.link(
            controls.address("ablation", image=controls.DEFAULT_IMAGE),
            f"As in the tutorial: test image {controls.DEFAULT_IMAGE}, all filters on",
        )
        + f". {figures.NUMBERS_DIFFER}"
    )
)
