"""Page frame: navigation, model, test image and its prediction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass
from functools import cache as keep
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core import cache, memo
from core.dataset import CLASS_NAMES, DatasetError
from core.models.model_folder import ModelFolder, ModelReplaced
from core.network import ModelError, Network
from core.pictures.scales import PIXELS
from server import log, queueing, setup
from server.queueing import Rank
from ui import controls, markup, state
from ui.components.navigation import navigation
from ui.page import Page
from ui.refusals import quoted, refusals_shown, refuse
from ui.share import share
from ui.view import View

TRAIN_COMMAND = "python -m core.training --recipe tutorial"
setup.prepare_process()
# Part of the sidebar's HTML: an element of its own would cost every move a message more. Comments
# and indentation stay on the server.
STYLE = "<style>{}</style>".format(
    " ".join(re.sub(r"/\*.*?\*/", "", Path(__file__).with_name("style.css").read_text()).split())
)


@dataclass(frozen=True)
class _Frame:
    view: View | None
    problem: str


# Set while the frame runs a page. A script run has a thread of its own, so it never sees another's.
_frame: ContextVar[_Frame | None] = ContextVar("frame", default=None)


def run(pages: Sequence[Page]) -> None:
    """Draw the frame, then the page that the address names inside it.

    Args:
        pages: All pages, in the order of the navigation; the first one is the default.
    """
    with queueing.turn(Rank.PAGE), refusals_shown():
        _run(pages)


def _run(pages: Sequence[Page]) -> None:
    st.set_page_config("See the filters", "🔬", layout="wide")
    # A run marks the page that it may show, so each run has its own.
    page = st.navigation([copy(page) for page in _streamlit_pages(tuple(pages))], position="top")
    log.started()
    log.session(page.url_path or pages[0].name)
    with state.reading_url(page.url_path) as reading:
        _refuse_unknown_page()
        with st.sidebar:
            frame = _sidebar()
            markup.show(STYLE + (_prediction(frame.view) if frame.view else ""))
            share()
        token = _frame.set(frame)
        try:
            page.run()
        except ModelReplaced:  # the next run shows the new version
            st.rerun()
        except ModelError as error:  # of another image than the one in view
            st.error(markup.sentence(error))
        finally:
            _frame.reset(token)
            with st.sidebar:
                navigation(page.url_path, reading.superfluous, reading.defaults)


def _refuse_unknown_page() -> None:
    """Name the page that a visitor asked for, if `server/middleware.py` sent them here instead."""
    name = state.read("unknown", lambda _: False).wrong
    if name is not None:
        refuse(f"There is no page {quoted(name)}: showing Home.")


@keep
def _streamlit_pages(pages: tuple[Page, ...]) -> tuple[StreamlitPage, ...]:
    """Return Streamlit's pages; to make them takes a script run as long as two widgets."""
    # Without icons all titles fit into the bar at 1280 pixels.
    return tuple(
        st.Page(
            partial(_draw, page), title=page.title, url_path=page.name, default=page is pages[0]
        )
        for page in pages
    )


def _draw(page: Page) -> None:
    """Draw a page; one sentence instead where there is no model, or not one with what it shows."""
    frame = _frame.get()
    assert frame is not None, "Streamlit runs a page inside of the frame's run"
    if frame.view is None and page.needs_model:
        st.error(markup.sentence(frame.problem))
    elif page.shows_maps and frame.view and not frame.view.network.spatial_layers:
        name = markup.as_text(frame.view.model.folder.name)
        st.info(f"The model {name} has no layer with feature maps.")
    else:
        page.draw(frame.view)


def _sidebar() -> _Frame:
    try:
        models = cache.models()
    except ModelError as error:
        return _Frame(None, str(error))
    if not models:
        return _Frame(
            None, f"There is no trained model yet. This command trains one: `{TRAIN_COMMAND}`"
        )
    model = models[controls.model_name(list(models))]
    index = controls.image_index()
    try:
        model = cache.current(model)
        network = cache.network(model)
        _check_fit(model.folder, network)
        split = cache.split("test")
        cache.activations(model, index)  # so that a model that cannot be computed is told of here
    except (DatasetError, ModelError) as error:
        return _Frame(None, str(error))
    return _Frame(View(model, network, index, split.images[index], int(split.labels[index])), "")


def _check_fit(model: ModelFolder, network: Network) -> None:
    last = network.layers[-1]
    fits = network.input_shape == (28, 28, 1) and last.output_shape == (len(CLASS_NAMES),)
    if not fits or last.activation != "softmax":
        raise ModelError(
            f"The model {model.name} does not turn a 28×28×1 image into {len(CLASS_NAMES)} class "
            "probabilities with a softmax at its end: choose another model."
        )


def _prediction(view: View) -> str:
    return memo.kept(lambda: _prediction_figure(view), "prediction", view.model.key, view.index)


def _prediction_figure(view: View) -> str:
    right = view.prediction == view.label
    verdict = "✓ right" if right else f"✗ wrong, it is {CLASS_NAMES[view.label]}"
    return (
        markup.picture(view.image, PIXELS, view.title, 112)
        + markup.title(
            f"Label: {view.label} {CLASS_NAMES[view.label]}",
        )
        + markup.note(
            f"Predicted: <b>{CLASS_NAMES[view.prediction]}</b> with "
            f"{view.probabilities[view.prediction]:.1%} {verdict}"
        )
        + markup.probability_bars(view.probabilities, view.label)
    )
