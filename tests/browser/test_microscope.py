"""The feature sheet and the microscope: what they say is held to Keras and to sums made here."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core import cache, dataset
from core.network import Array
from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import Server

IMAGES = (2000, 12, 4321)
PLACES = 20  # on the sheet of each of seven layers, for three images: 420, some between two maps

# Moves the pointer to places of the sheet, each a share of its width and height, and waits until
# the live region has spoken: then reads all that is said of the unit.
VISIT_PLACES = """async (cells, places) => {
  const root = [...document.querySelectorAll("*")]
    .map(element => element.shadowRoot).find(root => root?.querySelector(".live"));
  const live = root.querySelector(".live");
  const shown = element => element.checkVisibility();
  const numbers = table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent));
  const said = [];
  for (const [x, y] of places) {
    const box = cells.querySelector("canvas").getBoundingClientRect();
    live.textContent = "";
    const at = {clientX: box.left + x * box.width, clientY: box.top + y * box.height};
    cells.dispatchEvent(new PointerEvent("pointermove", {...at, bubbles: true}));
    for (let wait = 0; !live.textContent && wait < 50; wait++) {
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    said.push({
      live: live.textContent,
      words: root.querySelector(".words").textContent,
      parts: Object.fromEntries([...root.querySelectorAll("[data-part]")]
        .filter(shown).map(part => [part.dataset.part, part.textContent])),
      subtitle: root.querySelector(".subtitle").textContent,
      grids: [...root.querySelectorAll(".grid")].filter(shown)
        .map(table => [table.caption.textContent, numbers(table)]),
      bars: [...root.querySelectorAll(".bars button")].filter(shown)
        .map(button => [button.querySelector("span"), button.querySelector("b")]
          .map(part => part.textContent)),
      softmax: [...root.querySelectorAll(".softmax tbody tr")].filter(shown)
        .map(row => [...row.cells].map(cell => cell.textContent)),
    });
  }
  return said;
}"""

Said = dict[str, Any]


def assert_printed(text: str, value: float) -> None:
    """The text is the value to within half a unit of its last digit, plus 1e-5."""
    decimals = len(text.partition(".")[2])
    assert abs(float(text) - value) <= 0.5 * 10**-decimals + 1e-5, (text, value)


def assert_grid(shown: list[Any], name: str, numbers: Array) -> None:
    """A small table, its caption and its texts, prints these numbers."""
    caption, texts = shown
    assert caption == name
    for text, number in zip(np.ravel(texts), numbers.ravel(), strict=True):
        assert_printed(text, number)


def parse(pattern: str, sentence: str) -> re.Match[str]:
    """What the live region says has this form."""
    match = re.fullmatch(pattern, sentence)
    assert match, sentence
    return match


class Truth:
    """One image's way through the shipped network, by Keras; sums are made here, one by one."""

    def __init__(self, index: int) -> None:
        self.model = keras.saving.load_model(cache.models()["tutorial"].folder.path / "model.keras")
        layers = self.model.layers
        extractor = keras.Model(self.model.inputs[0], [layer.output for layer in layers])
        self.image = dataset.to_input(dataset.load_split("test").images[index : index + 1])
        outputs = [output.numpy()[0].astype(np.float64) for output in extractor(self.image)]
        self.before = {}
        self.output = {}
        before = self.image[0].astype(np.float64)
        for layer, output in zip(layers, outputs, strict=True):
            self.before[layer.name], self.output[layer.name] = before, output
            before = output

    def weights(self, layer: str) -> tuple[Array, Array]:
        kernel, bias = self.model.get_layer(layer).get_weights()
        return kernel.astype(np.float64), bias.astype(np.float64)

    def check(self, layer: str, said: Said) -> None:
        """Hold what was said of a unit of the layer to what is true."""
        getattr(self, f"_check_{layer.partition('_')[0]}")(layer, said)

    def _check_conv(self, layer: str, said: Said) -> None:
        match = parse(
            rf"{layer}, filter (\d+), row (\d+), column (\d+): before ReLU (\S+), value (\S+)",
            said["live"],
        )
        index, row, col = map(int, match.groups()[:3])
        kernel, bias = self.weights(layer)
        patch = self.before[layer][row : row + 3, col : col + 3]
        products = patch * kernel[..., index]
        pre = products.sum() + bias[index]
        value = self.output[layer][row, col, index]
        assert_printed(match[4], pre)
        assert_printed(match[5], value)
        for name, number in {
            "sum": products.sum(),
            "bias": bias[index],
            "pre": pre,
            "value": value,
        }.items():
            assert_printed(said["parts"][name], number)
        contributions = products.sum(axis=(0, 1))
        channel = int(np.argmax(np.abs(contributions)))
        if len(contributions) > 1:
            assert said["subtitle"].startswith(f"map {channel} brings ")
            self._check_bars(contributions, said, [f"map {at}" for at in range(64)])
        assert_printed(said["subtitle"].split()[-1], contributions[channel])
        shown_patch, shown_kernel, shown_products = said["grids"]
        assert_grid(shown_patch, "patch", patch[:, :, channel])
        assert_grid(shown_kernel, "kernel", kernel[:, :, channel, index])
        assert_grid(shown_products, "products", products[:, :, channel])

    def _check_bars(self, contributions: Array, said: Said, names: list[str]) -> None:
        """The eight largest of each sign, in order, and the totals of each sign."""
        expected = []
        for sign, total in ((1, "for"), (-1, "against")):
            order = [at for at in np.argsort(-sign * contributions) if sign * contributions[at] > 0]
            expected += [(names[at], contributions[at]) for at in order[:8]]
            assert_printed(said["parts"][total], contributions[order].sum())
        assert [name for name, _ in said["bars"]] == [name for name, _ in expected]
        for (_, text), (_, number) in zip(said["bars"], expected, strict=True):
            assert_printed(text, number)

    def _check_pool(self, layer: str, said: Said) -> None:
        match = parse(
            rf"{layer}, filter (\d+), row (\d+), column (\d+): value (\S+), "
            r"from row (\d+), column (\d+) of conv_layer_\d",
            said["live"],
        )
        index, row, col, y, x = (int(match[group]) for group in (1, 2, 3, 5, 6))
        assert_printed(match[4], self.output[layer][row, col, index])
        window = self.before[layer][2 * row : 2 * row + 2, 2 * col : 2 * col + 2, index]
        first = np.unravel_index(np.argmax(window), window.shape)
        assert (y - 2 * row, x - 2 * col) == first
        (shown,) = said["grids"]
        assert_grid(shown, "window", window)

    def _check_flatten(self, layer: str, said: Said) -> None:
        match = parse(
            rf"{layer}, unit (\d+): value (\S+), "
            r"from map (\d+), row (\d+), column (\d+) of pool_layer_4",
            said["live"],
        )
        index, channel, row, col = (int(match[group]) for group in (1, 3, 4, 5))
        assert_printed(match[2], self.output[layer][index])
        assert np.ravel_multi_index((row, col, channel), (5, 5, 64)) == index

    def _check_dense(self, layer: str, said: Said) -> None:
        last = layer == "dense_layer_7"
        form = "logit (\\S+), probability (\\S+)" if last else "before ReLU (\\S+), value (\\S+)"
        match = parse(rf"{layer}, unit (\d+)(, [^:]+)?: {form}", said["live"])
        index = int(match[1])
        assert match[2] == (f", {dataset.CLASS_NAMES[index]}" if last else None)
        kernel, bias = self.weights(layer)
        sums = self.before[layer] @ kernel + bias
        assert_printed(match[3], sums[index])
        assert_printed(match[4], self.output[layer][index])
        if last:
            names = [f"unit {at}" for at in range(128)]
            shares = np.exp(sums - sums.max())
            rows = zip(said["softmax"], sums, shares, self.output[layer], strict=True)
            for position, (texts, *numbers) in enumerate(rows):
                assert texts[0] == dataset.CLASS_NAMES[position]
                # The slider is where it was, so the last column repeats the probability.
                for text, number in zip(texts[1:], [*numbers, numbers[-1]], strict=True):
                    assert_printed(text, number)
            assert_printed(said["parts"]["exponentials"], shares.sum())
        else:
            names = [
                f"map {channel}, row {row}, column {col}"
                for row, col, channel in np.ndindex(5, 5, 64)
            ]
        contributions = self.before[layer] * kernel[:, index]
        self._check_bars(contributions, said, names)
        assert_printed(said["parts"]["pre"], sums[index])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("image", IMAGES)
def test_everything_said_of_a_unit_is_true(server: Server, visit: Visit, image: int) -> None:
    truth = Truth(image)
    page = visit(f"{server.url}/filter_explorer?model=tutorial&image={image}")
    rng = np.random.default_rng(image)
    heard = set()
    for layer in truth.output:
        page.get_by_role("radio", name=layer).click()
        cells = sheet(page, layer)
        for said in cells.evaluate(VISIT_PLACES, rng.uniform(0.01, 0.99, (PLACES, 2)).tolist()):
            # Between two maps the microscope stays where it was, and says so again.
            if said["live"]:
                truth.check(layer, said)
                heard.add(said["live"])
    assert len(heard) >= 300 / len(IMAGES)


def sheet(page: Page, layer: str) -> Any:
    """The sheet, as soon as it shows a layer."""
    cells = page.get_by_role("listbox", name=f"of {layer}")
    expect(cells).to_be_visible()
    expect(page.locator(".microscope-title")).to_contain_text(layer)
    return cells


def title(page: Page) -> str:
    return page.locator(".microscope-title").inner_text()


def assert_title(page: Page, text: str) -> None:
    expect(page.locator(".microscope-title")).to_have_text(text)


def test_a_pointer_and_a_walking_kernel_send_nothing(server: Server, visit: Visit) -> None:
    page = visit(server.url, complete=False)
    traffic = app.Traffic(page)
    page.goto(f"{server.url}/filter_explorer?layer=conv_layer_3")
    app.wait_until_complete(page)
    cells = sheet(page, "conv_layer_3")
    box = cells.bounding_box()
    assert box
    seen = {title(page)}
    app.wait_until_idle(page)
    traffic.reset()
    for step in range(40):
        page.mouse.move(box["x"] + 10 + 9 * step, box["y"] + 30 + 5 * step)
        seen.add(title(page))
    page.get_by_role("button", name="Play").click()
    for _ in range(5):
        page.wait_for_timeout(100)
        seen.add(title(page))
    page.get_by_role("button", name="Pause").click()
    assert len(seen) > 20
    assert (traffic.sent, traffic.received) == (0, [])


def test_the_code_and_the_weights_come_once_and_when_needed(server: Server, visit: Visit) -> None:
    page = visit(server.url, complete=False)
    traffic = app.Traffic(page)
    page.goto(f"{server.url}/filter_explorer")
    app.wait_until_complete(page)
    sheet(page, "conv_layer_1")
    app.wait_until_idle(page)
    assert 150_000 < max(traffic.received) < 300_000  # the code, the convolutions' weights
    traffic.reset()
    app.sidebar(page).get_by_role("button", name="Increment").click()
    app.assert_image(page, "test image 2001, Pullover")
    app.wait_until_idle(page)
    # An image's outputs are what is largest now.
    assert 20_000 < max(traffic.received) < 100_000
    assert sum(traffic.received) < 150_000
    page.get_by_role("radio", name="dense_layer_6").click()
    sheet(page, "dense_layer_6")
    app.wait_until_idle(page)
    assert max(traffic.received) > 800_000  # all weights
    traffic.reset()
    app.go_to(page, "Home")
    app.go_to(page, "Filter explorer")
    sheet(page, "dense_layer_6")
    app.wait_until_idle(page)
    assert 20_000 < max(traffic.received) < 150_000


def test_the_sheet_by_keyboard(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=conv_layer_3&filter=9")
    cells = sheet(page, "conv_layer_3")
    option = cells.get_by_role("option")
    cells.focus()
    for key, filter_ in (
        ("ArrowRight", 10),
        ("ArrowDown", 18),
        ("ArrowLeft", 17),
        ("ArrowUp", 9),
        ("End", 63),
        ("ArrowRight", 63),
        ("Home", 0),
        ("ArrowUp", 0),
        ("ArrowRight", 1),
    ):
        page.keyboard.press(key)
        expect(option).to_have_accessible_name(re.compile(f"^filter {filter_}, peak "))
        expect(page.locator(".microscope-title")).to_contain_text(f", filter {filter_}, ")
    expect(option).to_have_attribute("aria-selected", "false")
    page.keyboard.press("Enter")
    app.assert_parameters(page, filter=1)
    app.assert_map(page, "conv_layer_3", 1)
    expect(cells).to_be_focused()


def test_the_sheets_order(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=conv_layer_3&image=12&model=tutorial")
    cells = sheet(page, "conv_layer_3")
    maps = cache.activations(cache.models()["tutorial"], 12)["conv_layer_3"]
    for order, values in (("peak", maps.max(axis=(0, 1))), ("mean", maps.mean(axis=(0, 1)))):
        page.get_by_role("radio", name=f"{order} on this image").check()
        cells.focus()
        for key, chosen in (("Home", int(values.argmax())), ("End", int(values.argmin()))):
            page.keyboard.press(key)
            name = cells.get_by_role("option").get_attribute("aria-label") or ""
            found = int(name.split(",")[0].split()[1])
            assert values[found] == values[chosen], name
    page.get_by_role("radio", name="index").check()
    cells.focus()
    page.keyboard.press("Home")
    expect(cells.get_by_role("option")).to_have_accessible_name(re.compile("^filter 0, "))


def test_a_unit_by_keyboard(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=pool_layer_4&filter=3&row=1&col=2")
    assert_title(page, "pool_layer_4, filter 3, row 1, column 2")
    page.get_by_role("application").focus()
    for key, row, col in (
        ("ArrowDown", 2, 2),
        ("ArrowRight", 2, 3),
        ("End", 4, 4),
        ("ArrowRight", 4, 4),
        ("ArrowUp", 3, 4),
        ("ArrowLeft", 3, 3),
    ):
        page.keyboard.press(key)
        assert_title(page, f"pool_layer_4, filter 3, row {row}, column {col}")
    page.keyboard.press("Enter")
    app.assert_parameters(page, row=3, col=3)
    page.get_by_role("button", name="Unpin").click()
    expect(page).not_to_have_url(re.compile("row="))
    expect(page.get_by_role("button", name="Pin", exact=True)).to_be_visible()


def test_a_click_chooses_and_pins(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=pool_layer_4")
    cells = sheet(page, "pool_layer_4")
    box = cells.bounding_box()
    assert box
    page.mouse.click(box["x"] + 100, box["y"] + 100)
    pinned = title(page)
    layer, filter_, row, col = re.match(
        r"(\w+), filter (\d+), row (\d+), column (\d+)$", pinned
    ).groups()
    app.assert_parameters(page, layer=layer, filter=filter_, row=row, col=col)
    app.assert_map(page, layer, int(filter_))
    page.mouse.move(5, 5)
    assert_title(page, pinned)
    # Another unit of the map, and Back.
    page.get_by_role("application").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    app.assert_parameters(page, row=4, col=4)
    page.go_back()
    app.assert_parameters(page, row=row, col=col)
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.move(5, 5)
    assert_title(page, pinned)
    # Somebody else sees the same, and the pin survives a switch of pages.
    assert_title(visit(page.url), pinned)
    app.go_to(page, "Home")
    app.go_to(page, "Filter explorer")
    assert_title(page, pinned)


def test_the_kernel_walks_by_keyboard(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=conv_layer_3&filter=5")
    sheet(page, "conv_layer_3")
    page.get_by_role("application").focus()
    # The page's clock stands still, but for what the test lets pass: no machine is too slow.
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    while "row 1, " not in title(page):
        page.clock.run_for(20)
    page.keyboard.press("Space")
    paused = title(page)
    painted = (
        page.locator(".pictures figure")
        .nth(2)
        .locator("canvas")
        .evaluate(
            """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((_, index) => index % 4 === 3).filter(alpha => alpha === 255).length;
        }"""
        )
    )
    row, col = map(int, re.findall(r"\d+", paused)[-2:])
    assert painted == 11 * row + col + 1
    page.get_by_role("button", name="Step").click()
    step = 11 * row + col + 1
    assert_title(page, f"conv_layer_3, filter 5, row {step // 11}, column {step % 11}")
    page.get_by_role("button", name="Whole map").click()
    expect(page.get_by_role("button", name="Whole map")).to_be_disabled()


def test_what_if_a_logit_were_another(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=dense_layer_7&filter=6&image=12")
    sheet(page, "dense_layer_7")
    rows = page.locator(".softmax tbody tr")
    logits = [float(text) for text in rows.locator("td:nth-of-type(1)").all_inner_texts()]
    slider = page.get_by_role("slider", name=re.compile("^What if the logit of Shirt were"))
    slider.fill("2.5")
    logits[6] += 2.5
    exponentials = np.exp(np.array(logits) - max(logits))
    changed = [float(text) for text in rows.locator("td:last-child").all_inner_texts()]
    assert changed == pytest.approx((exponentials / exponentials.sum()).tolist(), abs=2e-4)
    expect(page.get_by_text("(+2.5)")).to_be_visible()


def test_a_channel_is_chosen_by_keyboard(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?layer=conv_layer_3&filter=5")
    sheet(page, "conv_layer_3")
    bar = page.locator(".bars .against button").nth(2)
    name = bar.locator("span").inner_text()
    bar.focus()
    page.keyboard.press("Enter")
    assert_channel(page, name)
    expect(bar).to_have_attribute("aria-pressed", "true")
    expect(bar).to_be_focused()


def assert_channel(page: Page, name: str) -> None:
    """Waits until the microscope shows what this map of pool_layer_2 takes away."""
    expect(page.locator(".subtitle")).to_contain_text(f"{name} brings -")
    expect(page.locator(".pictures figcaption").nth(1)).to_contain_text(f"{name} of pool_layer_2: ")


def test_a_top_image_opens_with_its_unit(server: Server, visit: Visit) -> None:
    page = visit(
        f"{server.url}/filter_explorer?model=tutorial&layer=conv_layer_3&filter=7&panel=top+images"
    )
    insights = cache.insights(cache.models()["tutorial"])
    assert insights
    found = insights.filters["conv_layer_3"]
    image, (row, col) = int(found.top_images[7, 2]), found.top_positions[7, 2].tolist()
    page.get_by_role("link", name=f"image {image}, ").click()
    app.assert_parameters(page, image=image, row=row, col=col, filter=7)
    label = dataset.CLASS_NAMES[dataset.load_split("test").labels[image]]
    app.assert_image(page, f"test image {image}, {label}")
    page.mouse.move(5, 5)
    assert_title(page, f"conv_layer_3, filter 7, row {row}, column {col}")
    value = float(found.top_values[7, 2])
    expect(page.locator(".equation")).to_contain_text(f"{value:.4f}")
