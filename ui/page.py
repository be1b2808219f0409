"""Describe a page to the frame: name, title, function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Page:
    """A page of the app.

    Attributes:
        name: Its address, below the app's own, and the name of its module.
        title: Its title in the navigation.
        draw: Draw the page below the frame, given the view; None where there is no model.
        needs_model: Whether it shows something of a model.
        shows_maps: Whether it needs a network with feature maps.
    """

    name: str
    title: str
    draw: Callable[[Any], None]  # of a View; of None, too, for a page that needs no model
    needs_model: bool = True
    shows_maps: bool = False
