"""Measure the cost of a moving pointer in the microscope, in a real Chromium.

    python -m benchmarks.hover

The pointer moves over the feature sheets of three layers, and the microscope follows. For each
move: how long the handler takes, all drawing included, and how long after the event the next
animation frame begins. Then a kernel walks over a map. Messages to the server are counted.
"""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.table import table
from tests.harness.server import APP, Server

MOVES = 180
LAYERS = ("conv_layer_1", "conv_layer_3", "dense_layer_6")
PLAY_MS = 3000

# Wraps the sheet's handler; an event that Chromium has merged with a later one never gets there.
MEASURE = """cells => {
  const handler = cells.onpointermove;
  window.moves = [];
  cells.onpointermove = event => {
    const move = {};
    const start = performance.now();
    handler.call(cells, event);
    move.handler = performance.now() - start;
    requestAnimationFrame(() => (move.frame = performance.now() - event.timeStamp));
    window.moves.push(move);
  };
}"""


def main() -> None:
    """Print the figures of each layer, and of all."""
    rows, moves = [], []
    with Server(APP) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        sent: list[Any] = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
        for layer in LAYERS:
            page.goto(f"{server.url}/filter_explorer?layer={layer}")
            page.locator(".feature-sheet .cursor[aria-label]").wait_for()
            page.wait_for_timeout(2000)
            before = len(sent)
            found = hover(page)
            moves += found
            rows.append([layer, *figures(found), str(len(sent) - before)])
        page.goto(f"{server.url}/filter_explorer?layer=conv_layer_3")
        page.locator(".feature-sheet .cursor[aria-label]").wait_for()
        page.wait_for_timeout(2000)
        before = len(sent)
        page.get_by_role("button", name="Play").click()
        page.wait_for_timeout(PLAY_MS)
        played = len(sent) - before
        browser.close()
    rows.append(["all", *figures(moves), ""])
    print(
        table(
            ["layer", "moves", "handler p50", "p95", "event to frame p50", "p95", "messages"], rows
        )
    )
    print(f"messages in {PLAY_MS / 1000:.0f} s of playing: {played}")


def hover(page: Page) -> list[dict[str, float]]:
    """Moves the pointer over the sheet and returns what each move took, in ms."""
    cells = page.locator(".feature-sheet")
    cells.evaluate(MEASURE)
    box = cells.locator("canvas").bounding_box()
    assert box is not None, "the sheet is drawn"
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(0.02, 0.98, (MOVES, 2)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * min(box["height"], 640))
    page.wait_for_timeout(200)
    moves: list[dict[str, float]] = page.evaluate("window.moves")
    return moves


def figures(moves: list[dict[str, float]]) -> list[str]:
    """Median and 95th percentile of both times."""
    cells = [str(len(moves))]
    for name in ("handler", "frame"):
        cells += [f"{np.percentile([move[name] for move in moves], q):.1f} ms" for q in (50, 95)]
    return cells


if __name__ == "__main__":
    main()
