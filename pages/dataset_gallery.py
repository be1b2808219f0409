"""The data: what it holds, one image of each class, and all images to browse (rows S1–S4)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from core import cache, memo
from core.dataset import CLASS_NAMES, DatasetError, Split, SplitName
from core.pictures import export, png
from core.pictures.scales import PIXELS
from ui import controls, markup, state
from ui.charts import dataset_gallery as charts
from ui.components.contact_sheet import contact_sheet
from ui.downloads import downloads
from ui.markup import class_label
from ui.view import View

IMAGES_PER_PAGE = 75  # whole rows, whether 15 or 25 fit in one


def page(view: View | None) -> None:
    """Draw the page, which needs no model."""
    try:
        cache.split("test")
    except DatasetError as error:
        st.error(markup.sentence(error))
        return
    st.header("Dataset gallery", anchor=False)
    try:
        markup.show(memo.kept(overview, "gallery"))
    except DatasetError as error:
        st.error(markup.sentence(error))
    st.subheader("Browse", anchor=False)
    gallery = browse(view)
    if gallery is None:
        return
    opened_image(gallery)
    markup.show(
        markup.note(
            markup.link(
                state.address("dataset_gallery", image=state.DEFAULT_IMAGE, split=""),
                f"As in the tutorial: test image {state.DEFAULT_IMAGE}",
            )
        )
    )


def overview() -> str:
    """Return the shapes of both splits, and the classes, HTML. Raise DatasetError."""
    summary, labels = cache.train_summary(), cache.split("test").labels
    test_counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    return charts.splits_table(
        int(summary.class_counts.sum()), len(labels)
    ) + charts.class_examples(summary, test_counts)


@dataclass(frozen=True)
class Gallery:
    """The split that is browsed.

    Attributes:
        name: Its name.
        split: Its images and labels.
        opened: The image that is open, an index into the split.
    """

    name: SplitName
    split: Split
    opened: int

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """The pixels of the image that is open, (28, 28)."""
        pixels: npt.NDArray[np.uint8] = self.split.images[self.opened]
        return pixels


def browse(view: View | None) -> Gallery | None:
    """Draw a page of a split, or of a class of it; return None if the split is not there."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = controls.gallery_split()
        label = controls.gallery_class()
        try:
            split = cache.split(name)
        except DatasetError as error:
            st.info(markup.sentence(error))
            return None
        indices = (
            np.arange(len(split.labels)) if label is None else cache.class_indices(name, label)
        )
        number = controls.gallery_page(-(-len(indices) // IMAGES_PER_PAGE))
        opened = test_image(view) if name == "test" else controls.train_image()
    shown = indices[(number - 1) * IMAGES_PER_PAGE : number * IMAGES_PER_PAGE].tolist()
    parameter = "image" if name == "test" else "train_image"
    contact_sheet(
        split.images[shown],
        shown,
        [CLASS_NAMES[label] for label in split.labels[shown]],
        opened,
        key="contact_sheet",
        links=[state.address("dataset_gallery", **{parameter: index}) for index in shown],
    )
    markup.show(
        markup.note(
            "Click an image to open it below. A test image is then shown on every page."
            if name == "test"
            else "Click an image to open it below."
        )
    )
    return Gallery(name, split, opened)


def test_image(view: View | None) -> int:
    """Return the index of the test image in view, which is chosen also where no model is."""
    if view is not None:
        return view.index
    return state.image_index()


def opened_image(gallery: Gallery) -> None:
    """Draw the image that is open, the histogram of its pixel values, and these in numbers."""
    name, opened, image = gallery.name, gallery.opened, gallery.image
    left, right = st.columns([2, 3], gap="medium")
    with left:
        markup.show(
            markup.title(
                f"{name.capitalize()} image {opened}",
                class_label(int(gallery.split.labels[opened])),
            )
            + markup.picture(image, PIXELS, f"{name} image {opened}", 280)
        )
    with right:
        markup.show(markup.title("Histogram of its pixel values"))
        st.vega_lite_chart(
            charts.pixel_histogram(image),
            alt=f"Histogram of the pixel values of {name} image {opened}",
        )
    markup.show(
        markup.title("Its pixel values", "0 is black, 255 is white; cells above 0 are marked")
        + memo.kept(lambda: markup.number_table(image), "pixels", name, opened)
    )
    downloads(
        ("Image (PNG, 28×28)", f"{name}_{opened}.png", lambda: png.encode_png(image, "grey")),
        (
            "Pixel values (CSV)",
            f"{name}_{opened}.csv",
            lambda: export.numbers_csv(image).encode(),
        ),
        ("Pixel values (NPY)", f"{name}_{opened}.npy", lambda: export.numbers_npy(image)),
    )


if __name__ == "__main__":  # see docs/architecture.md, "Started as a plain script"
    import pages

    pages.run()
