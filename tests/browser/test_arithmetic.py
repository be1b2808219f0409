"""The browser's arithmetic of one unit is held to the network, on generated architectures."""

from __future__ import annotations

import base64
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from playwright.sync_api import Browser, Page

from core import packet
from core.network import Network
from tests.harness.architectures import Architecture, architectures

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # A random architecture may contain a softmax over one channel.
    pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning"),
]

MODULE = Path("ui/components/microscope/arithmetic.js").read_text()
UNITS_A_LAYER = 12

EXPLAIN = """async ([source, network, image, units]) => {
  const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
  const {Network, Outputs, unpack} = await import(url);
  const bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0));
  const layers = new Network(unpack(bytes(network)));
  const outputs = new Outputs(layers, unpack(bytes(image)));
  return units.map(unit => {
    const found = outputs.explain(unit);
    const products = found.contributions
      ? Array.from(found.contributions, (_, channel) => outputs.products(unit, channel)
          .flat().reduce((sum, {product}) => sum + product, 0))
      : null;
    return {
      ...found, products,
      contributions: found.contributions && [...found.contributions],
      logits: found.logits && [...found.logits],
      field: layers.receptiveField(unit),
      output: outputs.value(unit),
    };
  });
}"""


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Page:
    page = browser.new_page()
    page.goto("about:blank")
    return page


@given(architectures())
@settings(suppress_health_check=list(HealthCheck))
def test_any_units_arithmetic_gives_the_networks_output(
    blank: Page, architecture: Architecture
) -> None:
    with TemporaryDirectory() as folder:
        architecture.build().save(f"{folder}/model.keras")
        network = Network.load(f"{folder}/model.keras")
    images = architecture.images(1)
    outputs = {name: output[0] for name, output in network.activations(images).items()}
    inputs = {name: value[0] for name, value in network.pre_activations(images).items()}
    units = [
        unit
        for index, layer in enumerate(network.layers)
        for unit in some_units(index, layer.output_shape, architecture.seed)
    ]
    found = blank.evaluate(
        EXPLAIN,
        [
            MODULE,
            text(packet.network_packet(network, {}, flat=True)),
            text(packet.image_packet(network, images[0], outputs, {})),
            units,
        ],
    )
    for unit, explained in zip(units, found, strict=True):
        check(network, unit, explained, outputs, inputs)


def check(
    network: Network,
    unit: dict[str, int],
    found: dict[str, Any],
    outputs: dict[str, np.ndarray],
    inputs: dict[str, np.ndarray],
) -> None:
    layer = network.layers[unit["layer"]]
    place = (unit["row"], unit["col"], unit["filter"])
    value = as_maps(outputs[layer.name])[place]
    assert found["output"] == pytest.approx(value, abs=1e-6)
    assert found["value"] == pytest.approx(value, abs=1e-5, rel=1e-5)
    if found["contributions"] is not None:
        assert found["products"] == pytest.approx(found["contributions"], abs=1e-9)
        total = sum(found["contributions"]) + found["bias"]
        assert found["pre"] == pytest.approx(total, abs=1e-9)
        pre = as_maps(inputs[layer.name])[place]
        assert found["pre"] == pytest.approx(pre, abs=1e-5, rel=1e-5)
    if found["kind"] == "softmax":
        logits = as_maps(inputs[layer.name])[unit["row"], unit["col"]]
        assert found["logits"] == pytest.approx(logits, abs=1e-5, rel=1e-5)
    if len(layer.output_shape) == 3:
        field = network.receptive_field(layer.name, unit["row"], unit["col"])
        assert found["field"] == vars(field)


def some_units(index: int, shape: tuple[int, ...], seed: int) -> list[dict[str, int]]:
    height, width, count = shape if len(shape) == 3 else (1, 1, shape[-1])
    rng = np.random.default_rng(seed)
    return [
        {
            "layer": index,
            "filter": int(rng.integers(count)),
            "row": int(rng.integers(height)),
            "col": int(rng.integers(width)),
        }
        for _ in range(UNITS_A_LAYER)
    ]


def as_maps(output: np.ndarray) -> np.ndarray:
    return output if output.ndim == 3 else output.reshape(1, 1, -1)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()
