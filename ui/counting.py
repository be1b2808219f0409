"""A count over all test images, done by a process of its own: begun, shown, cancelled."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from core import cache
from core.ablation import Answers
from core.cache import Version
from core.jobs import Job, TooManyJobs
from ui import figures

PERIOD = 0.5  # seconds between two looks at how far a count is

Wanted = tuple[Version, str, bool]
"""What is counted: the model, which filters are off (`ablation.spell`), whether to their mean."""


def running(wanted: Wanted) -> bool:
    """Whether this is being counted, or waits for its turn. What this session wanted before ends.

    For the fragment around the one that shows the count.
    """
    asked, job = _latest()
    if job is None or job.done:
        return False
    if asked != wanted:
        job.cancel()
        st.rerun()  # only a run of the whole page ends the other count's timer
    return True


def take_result() -> None:
    """Keeps what the latest count of this session has found, for `cache.counted_answers`."""
    asked, job = _latest()
    if asked is not None and job is not None and job.result is not None:
        found = Answers(tuple(job.result["right"]), tuple(job.result["counts"]))
        cache.keep_count(*asked, found)


def count(wanted: Wanted, timed: bool) -> None:
    """A button that begins to count or, meanwhile, how far that is and a button to cancel it.

    For a fragment that runs again each `PERIOD` if `timed`. Only a run of the whole page begins and
    ends that.
    """
    asked, job = _latest()
    is_running = asked == wanted and job is not None and not job.done
    if timed != is_running:
        st.rerun()
    if is_running and job is not None:
        words = f"{job.before} others come first" if job.before else "counting"
        st.progress(job.progress, f"All 10,000 test images: {words}")
        st.button("Cancel", key="cancel_count", on_click=job.cancel)
        return
    if asked == wanted and job is None:
        st.warning("Too many are counting now: please try again soon.")
    elif asked == wanted and job is not None and job.problem:
        st.warning(figures.sentence(job.problem))
    st.button("Count over all 10,000", key="count_all", on_click=_start, args=(wanted,))


def _latest() -> tuple[Wanted | None, Job | None]:
    """What this session wanted last, and the job, which is None where too many were in line."""
    latest: tuple[Wanted | None, Job | None] = st.session_state.get("count", (None, None))
    return latest


def _start(wanted: Wanted) -> None:
    model, off, to_mean = wanted

    def known() -> dict[str, object] | None:
        answers = cache.counted_answers(*wanted)
        return asdict(answers) if answers else None

    command = ["core.ablation", str(model.folder.path), off, "--json"]
    try:
        job: Job | None = Job(command + ["--mean"] * to_mean, known)
    except TooManyJobs:
        job = None
    st.session_state["count"] = (wanted, job)
