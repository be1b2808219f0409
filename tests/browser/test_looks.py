"""What every page owes to the eye and to a screen reader."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.harness import app
from tests.harness.server import Server

# WCAG 2.2, level AA, for text that is not large.
LEAST_CONTRAST = 4.5

# For each piece of text in the app's own figures: its contrast as painted, with everything that is
# transparent (colours and groups) blended with what lies behind it.
CONTRASTS = """() => {
    const context = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    const rgba = colour => {  // any CSS colour; channels 0 to 1
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return Array.from(context.getImageData(0, 0, 1, 1).data, channel => channel / 255);
    };
    const over = ([r, g, b, a], [R, G, B, A]) => {
        const alpha = a + A * (1 - a);
        const blend = (front, back) =>
            alpha ? (front * a + back * A * (1 - a)) / alpha : 0;
        return [blend(r, R), blend(g, G), blend(b, B), alpha];
    };
    const painted = element => {
        let text = rgba(getComputedStyle(element).color);
        let ground = [0, 0, 0, 0];
        for (let node = element; node; node = node.parentElement) {
            const style = getComputedStyle(node);
            const [background, opacity] = [rgba(style.backgroundColor), Number(style.opacity)];
            [text, ground] = [text, ground].map(colour => {
                const [r, g, b, a] = over(colour, background);
                return [r, g, b, a * opacity];
            });
        }
        return [text, ground];
    };
    const luminance = ([r, g, b]) => {
        const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const [R, G, B] = [r, g, b].map(linear);
        return 0.2126 * R + 0.7152 * G + 0.0722 * B;
    };
    const hasText = element => Array.from(element.childNodes).some(
        node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    return Array.from(document.querySelectorAll("[data-testid=stHtml] *"))
        .filter(element => element.tagName !== "STYLE" && hasText(element))
        .map(element => {
            const [low, high] = painted(element).map(luminance).sort((a, b) => a - b);
            const kind = [element.tagName, ...element.classList].join(".").toLowerCase();
            const parent = element.closest("[class]").className;
            return {
                what: `${kind} in .${parent}`, contrast: (high + 0.05) / (low + 0.05),
                text: element.textContent.trim().slice(0, 40),
            };
        });
}"""


# Of the page on the model and its training, and how the first heading of each begins.
FURTHER_PARTS = {"mistakes": "Where", "epochs": "When"}

# Of the class comparison, and how the title of each begins.
FURTHER_COMPARED = {"all filters": "What tells", "ten classes": "Ten classes"}


def every_view(page: Page) -> Iterator[str]:
    """Goes from page to page, and through the parts of one that shows them one at a time."""
    for name in app.PAGES.values():
        app.go_to(page, name)
        yield name
        if name == "Model and training":
            for part, begin in FURTHER_PARTS.items():
                page.get_by_role("radio", name=part, exact=True).click()
                heading = page.get_by_role("heading", name=re.compile(f"^{begin} "))
                expect(heading).to_be_visible()
                app.wait_until_complete(page)
                yield f"{name}, {part}"
        if name == "Class comparison":
            for part, begin in FURTHER_COMPARED.items():
                page.get_by_role("radio", name=part, exact=True).click()
                title = app.main(page).get_by_text(re.compile(f"^{begin} "))
                expect(title.first).to_be_visible()
                app.wait_until_complete(page)
                yield f"{name}, {part}"


def unreadable(page: Page) -> dict[str, tuple[float, str]]:
    """Per kind of text with too little contrast: the lowest contrast, and the text that has it."""
    worst: dict[str, tuple[float, str]] = {}
    texts = page.evaluate(CONTRASTS)
    assert texts
    for text in texts:
        found = round(text["contrast"], 2), text["text"]
        if found[0] < LEAST_CONTRAST:
            worst[text["what"]] = min(found, worst.get(text["what"], found))
    return worst


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)], ids=str)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_readable_and_fit(
    server: Server, visit: Visit, scheme: str, size: tuple[int, int]
) -> None:
    viewport = dict(zip(("width", "height"), size, strict=True))
    page = visit(server.url, color_scheme=scheme, viewport=viewport)
    background = page.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    channels = [int(channel) for channel in re.findall(r"\d+", background)]
    assert min(channels) > 200 if scheme == "light" else max(channels) < 55

    problems: list[tuple[object, ...]] = []
    for name in every_view(page):
        problems += [(name, what, *found) for what, found in unreadable(page).items()]
        for box in (page.locator(":root"), app.main(page)):
            too_wide = box.evaluate("box => box.scrollWidth - box.clientWidth")
            if too_wide > 0:
                problems.append((name, f"{too_wide} pixels too wide"))
    assert not problems, "\n".join(map(str, problems))


def test_pictures_are_described(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    for name in every_view(page):
        # Locators look into the components' shadow roots too.
        pictures = page.locator("img")
        alternatives = pictures.evaluate_all("images => images.map(image => image.alt.trim())")
        assert alternatives
        assert all(alternatives), name
        unlabelled = page.locator("[role=img]:not([aria-label]), [role=img][aria-label='']")
        expect(unlabelled).to_have_count(0)
