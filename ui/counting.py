"""A count over all test images, done by a process of its own: begun, shown, cancelled.

Visitors who want the same count share one. It ends soon after the last of them has left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from core import cache
from core.cache import Version
from core.evidence.answers import Answers
from server.jobs import Job, TooManyJobs
from ui import markup

PERIOD = 0.5  # seconds between two looks at how far a count is
# Seconds that a count goes on for a visitor whose connection broke. A browser that has its network
# again reconnects within one; after a longer break the count starts again.
GRACE_S = 5.0

Wanted = tuple[Version, str, bool]
"""What is counted: the model, which filters are off (`ablation.spell`), whether to their mean."""


@dataclass(frozen=True)
class _Count:
    """The count that this session has asked for.

    Attributes:
        wanted: What is counted.
        job: The job that counts it; None until a script run has joined one.
        problem: Why there is no job, as one sentence; "" while there may still be one.
    """

    wanted: Wanted
    job: Job | None = None
    problem: str = ""


def running(wanted: Wanted) -> bool:
    """Return True while this is counted or waits for its turn. End an earlier count.

    For the fragment around the one that shows the count.
    """
    latest = _latest()
    if latest is None or latest.job is None or latest.job.done:
        return False
    if latest.wanted != wanted:
        _cancel()
        st.rerun()  # only a run of the whole page ends the other count's timer
    return True


def count(wanted: Wanted, timed: bool) -> None:
    """A button that begins to count or, meanwhile, how far that is and a button to cancel it.

    For a fragment that runs again each `PERIOD` if `timed`. Only a run of the whole page begins and
    ends that.
    """
    latest = _latest()
    if latest is not None and latest.wanted != wanted:
        latest = None
    job = latest.job if latest else None
    is_running = job is not None and not job.done
    if timed != is_running:
        st.rerun()
    if is_running and job is not None:
        words = f"{job.before} others come first" if job.before else "counting"
        st.progress(job.progress, f"All 10,000 test images: {words}")
        st.button("Cancel", key="cancel_count", on_click=_cancel)
        return
    problem = job.problem if job else latest.problem if latest else ""
    if problem:
        st.warning(markup.sentence(problem))
    st.button("Count over all 10,000", key="count_all", on_click=_want, args=(wanted,))


def _want(wanted: Wanted) -> None:
    """Note what to count; the script run that follows joins a job."""
    _cancel()
    st.session_state["count"] = _Count(wanted)


def _cancel() -> None:
    """Give up what this session wants counted."""
    latest: _Count | None = st.session_state.pop("count", None)
    if latest is not None and latest.job is not None:
        latest.job.cancel()


def _latest() -> _Count | None:
    """Return what this session wants counted, with a job that lasts as long as its connection."""
    latest: _Count | None = st.session_state.get("count")
    if latest is None or latest.problem:
        return latest
    job = latest.job
    if job is not None and (job.result is not None or job.problem or not job.cancelled):
        return latest
    # Not counted yet, or the connection that wanted it is over and the browser is back.
    return _join(latest.wanted)


def _join(wanted: Wanted) -> _Count | None:
    """Make a job for what is wanted; None if it has been counted meanwhile."""
    if cache.counted_answers(*wanted) is not None:
        del st.session_state["count"]
        return None
    model, off, to_mean = wanted
    options = ["--json", *["--mean"] * to_mean]
    # The name of a folder or a layer may begin with a dash.
    command = ["core.ablation", *options, "--", str(model.folder.path), off]
    try:
        job = Job(wanted, command, partial(_keep, wanted))
    except TooManyJobs:
        refused = _Count(wanted, problem="Too many are counting now: please try again soon.")
        st.session_state["count"] = refused
        return refused
    joined = _Count(wanted, job)
    try:
        _until_disconnected(joined)
        # In a session whose browser has gone, this line stops the script run. So a job is never
        # left to a session that was disconnected before Streamlit knew of the job.
        st.session_state["count"] = joined
    except BaseException:
        job.cancel()
        raise
    return joined


def _keep(wanted: Wanted, result: dict[str, Any]) -> None:
    cache.keep_count(*wanted, Answers(tuple(result["right"]), tuple(result["counts"])))


def _leave(count: _Count) -> None:
    """Give a count up that is not done, unless the browser is back within `GRACE_S`."""
    if count.job is not None and not count.job.done:
        count.job.cancel(GRACE_S)


# Streamlit releases a session's resources when its browser disconnects, although the browser may
# come back to the session; tests/faults/test_counts.py fails where it does not. One entry, for a
# session counts one thing at a time.
@st.cache_resource(
    scope="session",
    on_release=_leave,
    max_entries=1,
    hash_funcs={_Count: id},
    show_spinner=False,
)
def _until_disconnected(count: _Count) -> _Count:
    return count
