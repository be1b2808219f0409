"""What the server gives to people: files, a view of their own, and words where data is missing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Page, expect

from core import cache, dataset
from core.dataset import sources
from core.models.model_files import NETWORK_FILE
from core.models.model_folder import MODELS_DIR
from core.network import Network
from tests.browser.conftest import StartServer, Visit
from tests.harness import app
from tests.harness.server import Server
from ui import controls

LAYER, IMAGE, FILTER = "conv_layer_3", 42, 17
ADDRESS = f"model=tutorial&image={IMAGE}&layer={LAYER}&filter={FILTER}"


def own_map() -> npt.NDArray[np.float32]:
    """What the downloads must hold, computed here."""
    images = dataset.load_split("test").images[IMAGE : IMAGE + 1]
    network = Network.load(MODELS_DIR / "tutorial" / NETWORK_FILE)
    return network.activations(dataset.to_input(images))[LAYER][0, :, :, FILTER]


def download(page: Page, button: str) -> Path:
    with page.expect_download() as started:
        page.get_by_role("button", name=button).click()
    return started.value.path()


def test_downloads_hold_the_networks_numbers(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?{ADDRESS}")
    app.main(page).get_by_role("button", name="Download").click()

    numbers = np.load(download(page, "Numbers (NPY)"))
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(numbers, own_map(), rtol=1e-5, atol=1e-6)
    assert (numbers > 0).any()
    table = np.loadtxt(download(page, "Numbers (CSV)"), delimiter=",", dtype=np.float32)
    np.testing.assert_array_equal(table, numbers)
    for button in ("This map (PNG)", "All maps (PNG)"):
        with Image.open(download(page, button)) as figure:
            figure.load()
            assert figure.format == "PNG"
            assert min(figure.size) > 500


def test_nobody_sees_what_somebody_else_looks_at(server: Server, visit: Visit) -> None:
    users = [
        ("test image 3, Trouser", 5),
        ("test image 8, Sandal", 60),
        ("test image 42, Dress", 17),
        ("test image 768, Bag", 33),
        ("test image 2001, Pullover", 9),
    ]
    model = cache.models()[controls.DEFAULT_MODEL]
    pages = []
    for title, index in users:
        image = title.split()[2].rstrip(",")
        link = f"/filter_explorer?image={image}&filter={index}"
        pages.append(visit(server.url + link, complete=False))
    # All five load at once, then move at once.
    for moves in (0, 1):
        for page, (title, index) in zip(pages, users, strict=True):
            app.assert_image(page, title)
            app.assert_map(page, "conv_layer_1", index + moves)
            app.assert_parameters(page, filter=index + moves)
            expect(app.main(page).get_by_text("All 64 maps of conv_layer_1")).to_contain_text(title)
            # Nothing is pinned: the microscope is on the map's peak.
            image = int(title.split()[2].rstrip(","))
            maps = cache.activations(model, image)["conv_layer_1"]
            value = f"{maps[:, :, index + moves].max():.4f}"
            expect(page.locator(".readout")).to_have_text(re.compile(f": {re.escape(value)}$"))
        if not moves:
            for page in pages:
                app.slider(page, "Filter").press("ArrowRight")


def test_missing_data_is_said_in_one_sentence(
    start_server: StartServer, visit: Visit, tmp_path: Path
) -> None:
    server = start_server(env={sources.DIR_VARIABLE: str(tmp_path)})
    page = visit(f"{server.url}/class_comparison", complete=False)
    for name in app.PAGES.values():
        app.click_in_navigation(page, name)
        app.wait_until_idle(page)
        app.assert_alert(
            page,
            f"{tmp_path}/t10k-images-idx3-ubyte.gz is missing or not readable: put Fashion-MNIST's "
            f"original files there, or unset {sources.DIR_VARIABLE}.",
        )
