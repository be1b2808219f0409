"""Actions of a simulated student on the app's pages, and on those of the direct port."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.harness.student import Student

IN_BROWSER = "filter, in the browser alone"
TOLD = "filter, told afterwards"
# The components that choose a filter: the explorer's and the class comparison's.
FILTER_CHOOSERS = {"sheet", "filter_slider"}
LAYERS = ("conv_layer_1", "pool_layer_2", "conv_layer_3", "pool_layer_4")
# Where students begin.
ADDRESSES = (
    "/",
    "/dataset_gallery",
    "/model_training",
    "/model_training?model=tutorial&part=mistakes&true=Shirt&predicted=Coat",
    "/model_training?part=epochs&epoch=2",
    "/filter_explorer",
    "/filter_explorer?model=tutorial&layer=conv_layer_3&filter=7",
    "/filter_explorer?layer=conv_layer_3&filter=33&panel=top+images",
    "/filter_explorer?filter=3&panel=epochs",
    "/class_comparison?class_a=0&class_b=6",
    "/class_comparison?model=tutorial&class_a=2+Pullover&class_b=4+Coat&layer=conv_layer_3&compare=all+filters",
    "/class_comparison?compare=ten+classes",
    "/ablation?off=conv_layer_1:3",
    "/ablation?model=tutorial&off=conv_layer_3:5,7",
    "/embedding",
    "/embedding?model=tutorial&map=PCA",
)
# Where students go from there, and how often: a class spends its time with the filters.
PAGES = {
    "filter_explorer": 6,
    "class_comparison": 3,
    "": 1,
    "dataset_gallery": 1,
    "model_training": 1,
    "ablation": 1,
    "embedding": 1,
}

Move = tuple[str, Callable[[], object]]
"""What a student does: its name, and a function that does it."""


def next_moves(student: Student, rng: random.Random) -> list[Move]:
    """Return what a student does next, on whatever page.

    That is one random move and, before it, the message that the app's JavaScript sends about
    the filter in view if the server does not know it yet.
    """
    keys = set(student.keys())
    chooser = next(iter(keys & FILTER_CHOOSERS), "")
    choices: list[tuple[int, Move]] = [
        (3, ("image", lambda: student.change("image", float(rng.randrange(10_000))))),
    ]
    if len(student.pages) > 1:
        (page,) = rng.choices(list(PAGES), list(PAGES.values()))
        # A page without filters is soon seen.
        choices.append((1 if chooser else 3, ("page", lambda: student.open("/" + page))))
    if "filter" in keys:  # the peer's slider
        choices.append((14, ("filter", lambda: student.change("filter", rng.randrange(64)))))
    if chooser:
        choices.append((14, another_filter(student, chooser, rng.randrange(64))))
    if "layer" in keys:
        choices.append((2, ("layer", lambda: student.change("layer", rng.choice(LAYERS)))))
    if "off_gives" in keys:
        chosen = ",".join(map(str, sorted(rng.sample(range(64), rng.randint(1, 8)))))
        off = f"{rng.choice(('conv_layer_1', 'conv_layer_3'))}:{chosen}"
        choices.append((6, ("filters off", lambda: student.go(off=off))))
    if "epoch_player" in keys:
        epoch = rng.choice(student.data("epoch_player")["epochs"])
        choices.append((3, (IN_BROWSER, lambda: student.query.update(epoch=str(epoch)))))
    ((_, move),) = rng.choices(choices, [weight for weight, _ in choices])
    name, _ = move
    if name in ("filter", IN_BROWSER) or not chooser:
        return [move]
    shown = int(student.query.get("filter", 0))
    if student.data(chooser)["choice"]["filter"] == shown:
        return [move]
    return [(TOLD, lambda: tell(student, chooser, shown)), move]


def another_filter(student: Student, chooser: str, index: int) -> Move:
    """Return the move to another filter; the server gets it only if it has something to draw."""

    def choose() -> None:
        student.query["filter"] = str(index)

    def choose_and_tell() -> None:
        choose()
        tell(student, chooser, index)

    if student.data(chooser)["tells"]:
        return "filter", choose_and_tell
    return IN_BROWSER, choose


def tell(student: Student, chooser: str, index: int) -> None:
    """Send the server the filter that a component shows."""
    student.choose(chooser, filter=str(index))
