"""The frame of every page: navigation, model, test image and its prediction."""

from __future__ import annotations

import re
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass
from functools import cache as keep
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core import cache
from core.cache import Version
from core.dataset import CLASS_NAMES, DatasetError
from core.evidence.insights import Insights
from core.models.model_folder import ModelFolder, ModelReplaced
from core.network import ModelError, Network
from core.pictures.scales import PIXELS
from server import log, queueing, setup
from server.queueing import Rank
from ui import controls, html
from ui.share import share

HOME = "pages/home.py"
PAGES = (
    (HOME, "Home"),
    ("pages/dataset_gallery.py", "Dataset gallery"),
    ("pages/model_training.py", "Model and training"),
    ("pages/filter_explorer.py", "Filter explorer"),
    ("pages/class_comparison.py", "Class comparison"),
    ("pages/ablation.py", "Switch filters off"),
    ("pages/embedding.py", "Map of images"),
)
NO_CHECKPOINTS = (
    "This model came without the weights of its training epochs (checkpoints.npz, history.csv), so "
    "only the trained network can be shown."
)
TRAIN_COMMAND = "python -m core.training --recipe tutorial"
setup.prepare_process()
# Part of the sidebar's HTML: an element of its own would cost every move a message more. Comments
# and indentation stay on the server.
STYLE = "<style>{}</style>".format(
    " ".join(re.sub(r"/\*.*?\*/", "", Path(__file__).with_name("style.css").read_text()).split())
)


@dataclass(frozen=True)
class View:
    """The model and the test image that all pages look at."""

    model: Version
    network: Network
    index: int
    image: npt.NDArray[np.uint8]  # (28, 28)
    label: int

    @property
    def activations(self) -> dict[str, npt.NDArray[np.float32]]:
        """Each layer's output, without the batch axis.

        Not kept here: a page's fragments live as long as its session, and with them the page's
        view. Two hundred sessions would keep two hundred images' outputs.
        """
        return cache.activations(self.model, self.index)

    @property
    def prediction(self) -> int:
        """The class with the highest probability."""
        return int(np.argmax(self.probabilities))

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """The network's last output, one number a class."""
        return self.activations[self.network.layers[-1].name]

    @property
    def title(self) -> str:
        """The image in words, as in "test image 2000, Bag"."""
        return f"test image {self.index}, {CLASS_NAMES[self.label]}"


@dataclass(frozen=True)
class _Frame:
    view: View | None
    problem: str


# Set while the frame runs a page. A script run has a thread of its own, so it never sees another's.
_frame: ContextVar[_Frame | None] = ContextVar("frame", default=None)


def run() -> None:
    """Draws the frame, then the page that the address names inside it."""
    with queueing.turn(Rank.PAGE), controls.refusals_shown():
        _run()


def _run() -> None:
    st.set_page_config("See the filters", "🔬", layout="wide")
    # A run marks the page that it may show, so each run has its own.
    page = st.navigation([copy(each) for each in _pages()], position="top")
    log.started()
    log.session(page.url_path)
    controls.carry_over(page.url_path)
    with st.sidebar:
        frame = _sidebar()
        html.show(STYLE + (_prediction(frame.view) if frame.view else ""))
        share()
    token = _frame.set(frame)
    try:
        page.run()
    except ModelReplaced:  # the next run shows the new version
        st.rerun()
    except ModelError as error:  # of another image than the one in view
        st.error(html.sentence(error))
    finally:
        _frame.reset(token)


@keep
def _pages() -> tuple[StreamlitPage, ...]:
    """To make them takes a run as long as two widgets."""
    # Without icons all titles fit into the bar at 1280 pixels.
    return tuple(st.Page(script, title=title, default=script == HOME) for script, title in PAGES)


def start_page() -> None:
    """First call of each page. On a process's very first visit Streamlit 1.67 runs a page's script
    without streamlit_app.py, because it finds a folder named pages; then the frame is drawn here,
    with the page inside it."""
    if _frame.get() is None:
        run()
        st.stop()


def view(with_maps: bool = False) -> View:
    """The model and image in view; where there are none the page ends here, saying why.

    A page that shows feature maps also ends here for a network that has none.
    """
    frame = _frame.get()
    assert frame is not None, "a page calls start_page first"
    if frame.view is None:
        st.error(html.sentence(frame.problem))
        st.stop()
    if with_maps and not frame.view.network.spatial_layers:
        name = html.as_text(frame.view.model.folder.name)
        st.info(f"The model {name} has no layer with feature maps.")
        st.stop()
    return frame.view


def measured(view: View) -> tuple[Insights | None, str]:
    """Return the model's insights and ""; if there are none, None and HTML that says why."""
    try:
        insights = cache.insights(view.model)
    except ModelError as error:
        return None, escape(str(error))
    if insights is None:
        return None, _not_measured(view.model.folder)
    return insights, ""


def _not_measured(folder: ModelFolder) -> str:
    """HTML that says why a model has no insights yet."""
    done = folder.being_measured()
    if done is not None:
        return (
            f"The filters of this model are being measured over all 10,000 test images, {done:.0%} "
            "done. Reload the page in a few minutes."
        )
    command = f"<code>{escape(folder.insights_command)}</code>"
    return f"This needs all 10,000 test images, which were not run yet: {command}"


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
    return cache.kept(lambda: _prediction_figure(view), "prediction", view.model.key, view.index)


def _prediction_figure(view: View) -> str:
    right = view.prediction == view.label
    verdict = "✓ right" if right else f"✗ wrong, it is {CLASS_NAMES[view.label]}"
    return (
        html.picture(view.image, PIXELS, view.title, 112)
        + html.title(
            f"Label: {view.label} {CLASS_NAMES[view.label]}",
        )
        + html.note(
            f"Predicted: <b>{CLASS_NAMES[view.prediction]}</b> with "
            f"{view.probabilities[view.prediction]:.1%} {verdict}"
        )
        + html.probability_bars(view.probabilities, view.label)
    )
