"""What the frame has to know of a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ui.view import View


@dataclass(frozen=True)
class Page:
    """A page of the app.

    Attributes:
        name: Its address, below the app's own, and the name of its module.
        title: Its title in the navigation.
        draw: Draw the page below the frame.
        shows_maps: Whether it needs a network with feature maps.
    """

    name: str
    title: str
    draw: Callable[[View], None]
    shows_maps: bool = False
