"""All test images on a map, as the network's last hidden layer tells them apart."""

from functools import partial
from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import cache
from core.dataset import CLASS_NAMES
from core.evidence.insights import Insights
from core.pictures import download_figures, export
from core.pictures.image_map import CLASS_COLOURS, COMPONENT_AXES, VERDICT_COLOURS
from ui import controls, markup, state
from ui.components.contact_sheet import contact_sheet
from ui.components.image_map import image_map
from ui.downloads import downloads
from ui.view import View, measured

NEIGHBOURS = 8
HOW = {
    True: "<b>Principal components</b>: across and up are the two directions in which the "
    "{numbers} numbers vary most. The map is a shadow: images far apart differ, but different ones "
    "may also fall on the same place.",
    False: "<b>Neighbour embedding</b> (t-SNE): each image stays near those whose {numbers} "
    "numbers are most like its own. Only who is whose neighbour counts: how large a cloud is, how "
    "far it is from another and which way is up mean nothing.",
}
WHAT_TO_SEE = {
    True: "What to see: two directions are enough to part shoes from clothes, with the bags in "
    "between, but T-shirt, Pullover, Coat and Shirt lie on one another.",
    False: "What to see: T-shirt, Pullover, Coat and Shirt run into each other, Trouser and Bag "
    "stand alone.",
}
ERRORS = (
    "Colour by <i>error</i>: mistakes lie where clouds touch. A point deep inside the cloud of "
    "another class is an odd image, or its label is wrong: open it and judge."
)


def page(view: View) -> None:
    """Draw the page."""
    st.header("Map of images", anchor=False)
    insights, problem = measured(view)
    if insights is None:
        markup.show(markup.note(problem))
    else:
        map_and_neighbours(view, insights)
    markup.show(
        markup.note(
            "Wheel, two fingers or + and − zoom, dragging moves the map. The names stand in the "
            "middle of their class. "
            + markup.link(
                state.address("embedding", image=state.DEFAULT_IMAGE),
                f"As in the tutorial: test image {state.DEFAULT_IMAGE}, a bag",
            )
            + f". {markup.NUMBERS_DIFFER}"
        )
    )


def map_and_neighbours(view: View, insights: Insights) -> None:
    """Draw the map and, beside it, how to read it and the images nearest to the one in view."""
    last = next(layer for layer in reversed(view.network.layers) if layer.weights)
    features = f"{int(np.prod(last.input_shape)):,}"
    left, right = st.columns([7, 4], gap="medium")
    with left:
        with st.container(horizontal=True):
            pca = controls.map_of_components()
            by_error = controls.coloured_by_error()
        places = insights.components if pca else insights.embedding
        packet = cache.map_packet(view.model, pca)
        image_map(packet, len(places), view.index, by_error, controls.open_image)
    with right:
        markup.show(
            markup.note(
                f"Each point is one of the {len(places):,} test images, placed by the {features} "
                f"numbers from which {escape(last.name)} finds its class: images that the network "
                "takes for alike lie together. Point at one to see it, click to open it on every "
                "page."
            )
            + markup.note(HOW[pca].format(numbers=features))
            + markup.note(f"{WHAT_TO_SEE[pca]} {ERRORS}")
        )
        neighbours(view, places, insights.predictions)
        markup.show(
            markup.note(
                "Under each its class. The map is flat: in all those numbers others may be nearer."
            )
        )
    name = f"{markup.file_name(view.model.folder.name)}_{'components' if pca else 'neighbours'}"
    downloads(
        ("Map (PNG)", f"{name}.png", partial(map_png, view, insights, pca, by_error)),
        ("Places (CSV)", f"{name}.csv", partial(places_csv, places, insights)),
    )


def neighbours(
    view: View, places: npt.NDArray[np.float32], predictions: npt.NDArray[np.integer]
) -> None:
    """Draw the images nearest on the map to the one in view.

    Args:
        view: The model and the image in view.
        places: The place of each test image on the map, (n, 2).
        predictions: The predicted class of each, (n,).
    """
    test = cache.split("test")
    distances = np.hypot(*(places - places[view.index]).T)
    distances[view.index] = np.inf
    unsorted = np.argpartition(distances, NEIGHBOURS)[:NEIGHBOURS]
    nearest = unsorted[np.argsort(distances[unsorted])].tolist()
    same = int(np.count_nonzero(test.labels[nearest] == view.label))
    markup.show(
        markup.title(
            f"Nearest to {view.title}", f"{same} of {NEIGHBOURS} are {CLASS_NAMES[view.label]}"
        )
    )
    names = [CLASS_NAMES[label] for label in test.labels[nearest]]
    contact_sheet(
        test.images[nearest],
        nearest,
        [
            f"{name}, predicted {CLASS_NAMES[predictions[image]]}"
            for name, image in zip(names, nearest, strict=True)
        ],
        None,
        key="neighbours",
        links=[state.address("embedding", image=image) for image in nearest],
        side=62,
        captions=names,
    )


def map_png(view: View, insights: Insights, pca: bool, by_error: bool) -> bytes:
    """Return the map as a figure."""
    places = insights.components if pca else insights.embedding
    groups = cache.split("test").labels
    legend = list(zip(CLASS_NAMES, CLASS_COLOURS, strict=True))
    if by_error:
        groups = (insights.predictions != groups).astype(np.uint8)
        legend = list(zip(("right", "wrong"), VERDICT_COLOURS, strict=True))
        order = np.argsort(groups, kind="stable")  # the wrong ones on top
        places, groups = places[order], groups[order]
    title = f"10,000 test images as {view.model.folder.name} tells them apart"
    return download_figures.points_figure(
        places, groups, legend, COMPONENT_AXES if pca else ("", ""), title
    )


def places_csv(places: npt.NDArray[np.float32], insights: Insights) -> bytes:
    """Return the points of the map as a CSV file."""
    header = ("image", "class", "predicted", "confidence", "x", "y")
    names = np.array(CLASS_NAMES)
    columns = (
        range(len(places)),
        names[cache.split("test").labels],
        names[insights.predictions],
        insights.confidences,
        *places.T,
    )
    return export.table_csv(header, list(zip(*columns, strict=True)))


if __name__ == "__main__":  # see docs/architecture.md, "Started as a plain script"
    import pages

    pages.run()
