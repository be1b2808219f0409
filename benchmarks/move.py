"""Measure the cost of one move of a control: `python -m benchmarks.move [--quick] [--no-browser]`.

Three servers, each a process of its own: this app, an empty page with one slider (the floor), and
the peer, a direct port of the tutorial. A simulated student moves their controls in turn, so that a
busy moment of the machine falls on all of them; only ratios within one run mean anything. Then the
same in a Chromium, from the key press to the changed picture.

The app's browser shows another filter alone; what is measured of its server is how it hears of the
filter afterwards.

No value comes twice within a run, so no answer is one that a cache kept from an equal move.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import mean, median
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

from benchmarks.table import machine, table
from tests.harness.server import APP, EMPTY, PEER, Server
from tests.harness.student import Reply, Student

APP_PAGE = "/filter_explorer"


class Scene(NamedTuple):
    """Where a browser looks: what changes first when the slider moves.

    In the app and the peer that is the picture of the chosen map; the peer draws it before its 64
    subplots, and the app's browser has its numbers already. The empty page has nothing to change
    but the slider's own number.
    """

    address: str
    target: str


APP_SCENE = Scene(APP_PAGE, '.pictures canvas[aria-label$="the unit outlined"]')
PEER_SCENE = Scene("/", '[data-testid="stColumn"]:nth-of-type(2) [data-testid="stImage"] img')
EMPTY_SCENE = Scene("/", '[data-testid="stSliderThumbValue"]')

# As people make it: it leaves the server time for what it does after a run, which counts as CPU of
# the move.
PAUSE = 0.4


@dataclass
class Probe:
    """One control of one server, and what its moves cost."""

    name: str
    server: Server
    student: Student
    change: Callable[[int], Reply]
    values: Iterator[int]
    replies: list[Reply] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def move(self, *, keep: bool = True) -> None:
        """One move and its pause; a warm-up does not `keep` its figures."""
        before = self.server.cpu_seconds()
        reply = self.change(next(self.values))
        time.sleep(PAUSE)
        if keep:
            self.replies.append(reply)
            self.cpu.append(self.server.cpu_seconds() - before)

    @property
    def latency_ms(self) -> float:
        """Median time until the script had finished."""
        return 1e3 * median(reply.latency for reply in self.replies)

    @property
    def cpu_ms(self) -> float:
        """Mean CPU time of the server per move."""
        return 1e3 * mean(self.cpu)

    @property
    def kilobytes(self) -> float:
        """Mean size of what the student received per move."""
        return mean(reply.received for reply in self.replies) / 1e3


def filters() -> Iterator[int]:
    """All 64 filters in leaps, so that no answer is its neighbour's; from 1, as 0 is shown."""
    return itertools.cycle(1 + 29 * step % 63 for step in range(63))


def image_indices() -> Iterator[int]:
    """Test images in a fixed random order, none twice."""
    return iter(random.Random(0).sample(range(10_000), 10_000))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    parser.add_argument("--quick", action="store_true", help="few repeats, to see that it works")
    parser.add_argument("--no-browser", action="store_true", help="leave the browser out")
    options = parser.parse_args()
    moves, peer_moves, presses = (8, 2, 3) if options.quick else (56, 8, 9)
    print(machine())
    with ExitStack() as stack:
        app = stack.enter_context(Server(APP))
        empty = stack.enter_context(Server(EMPTY))
        peer = stack.enter_context(Server(PEER, configured=False))
        probes = _probe(stack, app, empty, peer, moves, peer_moves)
        _print_moves(probes)
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if options.no_browser or chromium is None:
            print("\nno browser: left out" if options.no_browser else "\nno Chromium found")
            return
        # The students have left, so only the browser's own tab asks the servers for anything.
        for probe in probes.values():
            probe.student.close()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--force-device-scale-factor=1"]
            )
            shown = {
                name: _press(browser, server, scene, presses)
                for name, server, scene in (
                    ("empty page", empty, EMPTY_SCENE),
                    ("app", app, APP_SCENE),
                    ("peer", peer, PEER_SCENE),
                )
            }
            browser.close()
    print("\nIn Chromium, from the key press on the filter's slider: until the chosen map changed,")
    print("and until the whole view had, with the sheet of 64 maps that marks it (last message)")
    ours = shown["app"]
    print(
        table(
            [
                f"median of {presses}",
                "map ms",
                "view ms",
                "map / app",
                "view / app",
            ],
            [
                [
                    name,
                    f"{times.picture:.0f}" if name != "empty page" else "",
                    f"{times.finished:.0f}",
                    f"{times.picture / ours.picture:.2f}" if name != "empty page" else "",
                    f"{times.finished / ours.finished:.2f}",
                ]
                for name, times in shown.items()
            ],
        )
    )


def _probe(
    stack: ExitStack, app: Server, empty: Server, peer: Server, moves: int, peer_moves: int
) -> dict[str, Probe]:
    """Move all controls in turn; the peer, which takes seconds, less often."""

    def open_page(server: Server, address: str) -> Student:
        student = stack.enter_context(Student(server.url))
        student.open(address)
        return student

    in_app, in_empty, in_peer = (
        open_page(app, APP_PAGE),
        open_page(empty, "/"),
        open_page(peer, "/"),
    )

    def control(name: str, server: Server, student: Student, key: str) -> Probe:
        values = filters() if key == "filter" else image_indices()
        return Probe(name, server, student, partial(student.change, key), values)

    def told(index: int) -> Reply:
        return in_app.choose("sheet", filter=str(index))

    probes = {
        "empty": control("empty page, slider", empty, in_empty, "filter"),
        "filter": Probe("app, filter", app, in_app, told, filters()),
        "image": control("app, image", app, in_app, "image"),
        "peer filter": control("peer, filter", peer, in_peer, "filter"),
        "peer image": control("peer, image", peer, in_peer, "image"),
    }
    for _ in range(3):
        for probe in probes.values():
            probe.move(keep=False)
    for step in range(moves):
        for name, probe in probes.items():
            if not name.startswith("peer") or step % (moves // peer_moves) == 0:
                probe.move()
    return probes


def _print_moves(probes: dict[str, Probe]) -> None:
    print("\nOne student: message sent until script finished; CPU time of the server's process")
    print(
        table(
            ["", "latency ms", "CPU ms", "kB", "moves"],
            [
                [
                    probe.name,
                    f"{probe.latency_ms:.1f}",
                    f"{probe.cpu_ms:.1f}",
                    f"{probe.kilobytes:.1f}",
                    str(len(probe.replies)),
                ]
                for probe in probes.values()
            ],
        )
    )
    pairs = [
        ("filter", "empty"),
        ("image", "empty"),
        ("peer filter", "filter"),
        ("peer image", "image"),
    ]
    print()
    print(
        table(
            ["ratio", "latency", "CPU"],
            [
                [
                    f"{probes[above].name} / {probes[below].name}",
                    f"{probes[above].latency_ms / probes[below].latency_ms:.2f}",
                    f"{probes[above].cpu_ms / probes[below].cpu_ms:.2f}",
                ]
                for above, below in pairs
            ],
        )
    )


# The page's own clock for when the server's last message came in.
_LISTEN = """
const Native = WebSocket;
window.WebSocket = class extends Native {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", () => { window.lastMessage = performance.now(); });
  }
};
"""

# Resolves to the milliseconds from the key press to the first frame with another target (a picture
# counts only when the browser has its pixels), and to the last message of the server if there was
# one. The latter is known once nothing runs and nothing has come for half a second: a short run
# comes and goes between two frames, so its end cannot be seen in the page itself.
_WATCH = """
selector => {
  const find = root => root.querySelector(selector) ?? [...root.querySelectorAll("*")]
    .flatMap(element => element.shadowRoot ?? []).map(find).find(Boolean);
  const look = () => {
    const target = find(document);
    if (!target) return null;
    if (target.tagName !== "IMG") return target.outerHTML;
    return target.complete && target.naturalWidth > 0 ? target.src + target.alt : null;
  };
  const before = look();
  if (before === null) throw new Error(`nothing at ${selector}`);
  window.moved = new Promise((resolve, reject) => {
    let pressed = null, picture = null;
    document.addEventListener(
      "keydown", () => { pressed = performance.now(); }, {capture: true, once: true});
    const frame = now => {
      const seen = look();
      if (pressed !== null && seen !== null && seen !== before) picture ??= now - pressed;
      const last = Math.max(lastMessage, pressed);
      const idle = document.querySelector('[data-test-script-state="notRunning"]') !== null
        && now - last > 500;
      if (picture !== null && idle) resolve({picture, finished: Math.max(last - pressed, picture)});
      else if (pressed !== null && now - pressed > 60000)
        reject(new Error(`picture ${picture}, idle ${idle}, now ${seen}, before ${before}`));
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}
"""


class Shown(NamedTuple):
    """Milliseconds after a key press, medians."""

    picture: float
    finished: float


def _press(browser: Browser, server: Server, scene: Scene, presses: int) -> Shown:
    """Measure how long a key press on the slider takes to show."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(90_000)
    page.add_init_script(_LISTEN)
    page.goto(server.url + scene.address)
    page.wait_for_selector(scene.target)
    # The app's slider is the microscope's.
    thumb = page.locator(":is(.st-key-filter, .st-key-microscope) input[type=range]").first
    times = []
    for _ in range(presses + 1):
        page.wait_for_selector('[data-test-script-state="notRunning"]')
        page.wait_for_timeout(1e3 * PAUSE)
        thumb.focus()
        page.evaluate(_WATCH, scene.target)
        page.keyboard.press("ArrowRight")
        times.append(page.evaluate("window.moved"))
    page.close()
    times = times[1:]  # the first one warms up
    return Shown(*(median(each[name] for each in times) for name in Shown._fields))


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keep the module's own line breaks in --help."""


if __name__ == "__main__":
    main()
