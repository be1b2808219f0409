"""Colours and axis titles of the map of images."""

from __future__ import annotations

CLASS_COLOURS = (
    "#332288",
    "#bbbbbb",
    "#88ccee",
    "#ddcc77",
    "#117733",
    "#999933",
    "#cc6677",
    "#882255",
    "#aa4499",
    "#44aa99",
)
"""A class's colour, by label, from Paul Tol's colour-blind-safe "muted" set
(https://sronpersonalpages.nl/~pault), its near-white grey darkened so that it shows on white.
Classes that the networks confuse differ most."""

# Two of them are too dark for a dark page.
CLASS_COLOURS_ON_DARK = tuple(
    {"#332288": "#7766dd", "#882255": "#b03070"}.get(colour, colour) for colour in CLASS_COLOURS
)

# Right and wrong: a grey near the page's own colour, and a colour of Okabe and Ito's set.
VERDICT_COLOURS = ("#c4c4c4", "#d55e00")
VERDICT_COLOURS_ON_DARK = ("#5c5c5c", "#d55e00")

COMPONENT_AXES = ("first principal component", "second principal component")
