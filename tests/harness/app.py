"""What the browser tests know about the app: how to wait for it, and where things are."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Locator, Page, WebSocket, expect

# Each page's address and its name in the navigation.
PAGES = {
    "": "Home",
    "dataset_gallery": "Dataset gallery",
    "model_training": "Model and training",
    "filter_explorer": "Filter explorer",
    "class_comparison": "Class comparison",
    "ablation": "Switch filters off",
    "embedding": "Map of images",
}


class Traffic:
    """What a page and its server say to each other, counted from the start or from `reset`."""

    def __init__(self, page: Page) -> None:
        self.sent = 0
        self.received: list[int] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        def sent(_frame: str | bytes) -> None:
            self.sent += 1

        socket.on("framesent", sent)
        socket.on("framereceived", lambda frame: self.received.append(len(frame)))

    def reset(self) -> None:
        self.sent, self.received = 0, []


def wait_until_idle(page: Page) -> None:
    """Waits for the end of the script run that is under way."""
    idle = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(idle).to_be_visible()


def wait_until_complete(page: Page) -> None:
    """Waits until the frame and the whole page are there."""
    expect(sidebar(page).get_by_text("Predicted: ")).to_be_visible()
    # All pages end with a link to the tutorial's own view.
    expect(main(page).get_by_text("As in the tutorial").first).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart]:not(:has(.marks))")).to_have_count(0)
    wait_until_idle(page)
    # The microscope draws when its code, the weights and the image's outputs have arrived.
    if page.locator(".st-key-microscope").count():
        expect(page.locator(".microscope-title")).not_to_be_empty()
        expect(page.get_by_role("listbox").first).to_be_visible()
    if page.locator(".st-key-filter_slider").count():
        expect(slider(page, "Filter")).to_be_visible()


def sidebar(page: Page) -> Locator:
    return page.get_by_test_id("stSidebar")


def main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def go_to(page: Page, name: str) -> None:
    """Switches pages by the navigation."""
    click_in_navigation(page, name)
    wait_until_complete(page)


def click_in_navigation(page: Page, name: str) -> None:
    page.get_by_test_id("stTopNav").get_by_role("link", name=name).click()
    address = next(address for address, title in PAGES.items() if title == name)
    expect(page).to_have_url(re.compile(rf"//[^/]+/{address}(\?|$)"))


def slider(page: Page, name: str) -> Locator:
    return main(page).get_by_role("slider", name=name)


def select(page: Page, control: str, option: str) -> None:
    """Chooses an option of a select box."""
    box = page.get_by_role("combobox", name=control, exact=True)
    box.click()
    # The list holds only the options in view; typing brings the wanted one there.
    box.fill(option)
    page.get_by_role("option", name=option, exact=True).click()


def parameters(page: Page) -> dict[str, str]:
    """The URL's parameters. A select box writes "2 Pullover" where a link may say 2: only the first
    word counts."""
    pairs = parse_qsl(urlsplit(page.url).query, keep_blank_values=True)
    return {key: value.split()[0] if value else "" for key, value in pairs}


def assert_parameters(page: Page, /, **values: Any) -> None:
    """Waits until the URL has these parameters, perhaps among others."""
    for key, value in values.items():
        expect(page).to_have_url(re.compile(rf"[?&]{key}={re.escape(str(value))}(&|\+|$)"))


def assert_image(page: Page, title: str) -> None:
    """Waits until the frame shows a test image, named as in "test image 42, Dress"."""
    expect(sidebar(page).locator("img")).to_have_attribute("alt", title)
    number = title.split()[2].rstrip(",")
    expect(sidebar(page).get_by_label("Test image", exact=True)).to_have_value(number)


def assert_map(page: Page, layer: str, index: int) -> None:
    """Waits until the filter explorer shows a map, in the sheet and in the microscope, too."""
    expect(main(page).get_by_text(f"Map {index} of {layer}", exact=False)).to_be_visible()
    expect(page.get_by_role("radio", name=layer)).to_be_checked()
    expect(slider(page, "Filter")).to_have_value(str(index))
    chosen = page.get_by_role("option", name=re.compile(rf"^filter {index}, "), selected=True)
    expect(chosen).to_be_visible()
    expect(page.locator(".microscope-title")).to_contain_text(f"{layer}, filter {index}, row ")


def assert_comparison(page: Page, index: int) -> None:
    """Waits until the class comparison shows a filter."""
    expect(main(page).get_by_text(re.compile(f"^Filter {index} activation"))).to_be_visible()
    expect(slider(page, "Filter")).to_have_value(str(index))


def assert_alert(page: Page, text: str) -> None:
    """Waits until the page shows this one message, and no exception."""
    expect(page.get_by_role("alert")).to_have_text(text)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def compared_images(page: Page) -> Locator:
    """The class comparison's row titles, as in "19 T-shirt/top"."""
    return main(page).locator(".grid-figure").first.locator("th[scope=row]")


def pictures(page: Page) -> list[str]:
    """The data of all pictures in view, those of the components included."""
    return page.evaluate(
        """() => {
            const roots = [...document.querySelectorAll("*")].map(element => element.shadowRoot);
            const canvases = roots.flatMap(root => [...root?.querySelectorAll("canvas") ?? []]);
            return [
                ...Array.from(document.images, image => image.src),
                ...canvases.map(canvas => canvas.toDataURL()),
            ];
        }"""
    )
