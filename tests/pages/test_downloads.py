"""Every file that a page offers can be made and says what the page says."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core import cache
from tests.pages.conftest import VIEWS, Open, assert_sound
from tests.pages.files import Files, collect_files


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """Collect what the pages offer."""
    return collect_files(monkeypatch)


@pytest.mark.parametrize(("page", "part"), VIEWS)
def test_each_file_can_be_made(
    open_page: Open, files: Files, page: str, part: dict[str, str]
) -> None:
    assert_sound(open_page(page, filter=33, **part))
    assert files or part == {"part": "mistakes"}
    for name, make in files.items():
        data = make()
        if name.endswith(".png"):
            picture = Image.open(io.BytesIO(data))
            assert picture.format == "PNG"
            assert len(set(picture.convert("L").get_flattened_data())) > 16
        elif name.endswith(".csv"):
            assert pd.read_csv(io.BytesIO(data)).size > 20
        else:
            loaded = np.load(io.BytesIO(data), allow_pickle=False)
            arrays = [loaded[key] for key in loaded.files] if name.endswith(".npz") else [loaded]
            assert arrays
            assert all(array.size and np.isfinite(array).all() for array in arrays)


def test_the_explorers_numbers_are_the_networks(open_page: Open, files: Files) -> None:
    open_page("filter_explorer", model="tutorial", image=9, layer="conv_layer_3", filter=12)
    expected = cache.activations(cache.models()["tutorial"], 9)["conv_layer_3"][:, :, 12]
    name = "conv_layer_3_image9_filter12"
    csv = np.loadtxt(io.BytesIO(files[f"{name}.csv"]()), delimiter=",", dtype=np.float32)
    assert np.array_equal(csv, expected)
    assert np.array_equal(np.load(io.BytesIO(files[f"{name}.npy"]())), expected)


def test_the_top_images_files(open_page: Open, files: Files) -> None:
    open_page("filter_explorer", model="tutorial", filter=3, panel="top images")
    insights = cache.insights(cache.models()["tutorial"])
    assert insights
    found = insights.filters["conv_layer_1"]
    tops = pd.read_csv(io.BytesIO(files["conv_layer_1_filter3_top.csv"]()))
    assert tops["image"].tolist() == found.top_images[3].tolist()
    assert tops[["row", "column"]].to_numpy().tolist() == found.top_positions[3].tolist()
    responses = pd.read_csv(io.BytesIO(files["conv_layer_1_filter3_responses.csv"]()))
    assert np.array_equal(responses.iloc[:, 1:6].to_numpy(np.float32), found.response_quantiles[3])
    picture = Image.open(io.BytesIO(files["conv_layer_1_filter3_top.png"]()))
    assert picture.format == "PNG"


def test_the_gallerys_picture_is_the_image(open_page: Open, files: Files) -> None:
    open_page("dataset_gallery", image=9)
    picture = Image.open(io.BytesIO(files["test_9.png"]()))
    assert np.array_equal(np.asarray(picture), cache.split("test").images[9])
