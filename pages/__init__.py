"""The pages of the app, one module each; a page's address is the name of its module."""

from pages import (
    ablation,
    class_comparison,
    dataset_gallery,
    embedding,
    filter_explorer,
    home,
    model_training,
)
from ui import frame
from ui.page import Page

PAGES = (
    Page("home", "Home", home.page),
    Page("dataset_gallery", "Dataset gallery", dataset_gallery.page, needs_model=False),
    Page("model_training", "Model and training", model_training.page),
    Page("filter_explorer", "Filter explorer", filter_explorer.page),
    Page("class_comparison", "Class comparison", class_comparison.page, shows_maps=True),
    Page("ablation", "Switch filters off", ablation.page),
    Page("embedding", "Map of images", embedding.page),
)
"""In the order of the navigation."""


def run() -> None:
    """Draw the page that the address names, inside of the frame."""
    frame.run(PAGES)
