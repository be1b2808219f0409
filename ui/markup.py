"""The figures that the pages share, as HTML: each function returns one self-explaining piece.

HTML and not `st.image`, because a picture inside its element costs no second request, is enlarged
by the browser without smoothing, and sits exactly beside the numbers that belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st

from core.dataset import CLASS_NAMES
from core.pictures.colours import colour_stops
from core.pictures.png import data_uri
from core.pictures.scales import AnyArray, FloatArray, Scale
from core.pictures.sheets import SHEET_COLUMNS, sheet_uri

NUMBERS_DIFFER = (
    "A filter's number means nothing across trainings: in another model it is another filter."
)


# What CommonMark, its tables, LaTeX and Streamlit's directives read as syntax; . _ and - only where
# they are not inside a word.
_SYNTAX = re.compile(
    r"[\\`*{}\[\]#+!|~<>&$@^]|:(?=\S)"
    r"|(?<![^\W_])[_-]|[_-](?![^\W_])"
    r"|(?<=\d)[.)](?!\S)",
    re.ASCII,
)
# Streamlit looks for addresses, icons, emoji and arrows after it has resolved the escapes, so only
# another character between theirs prevents that: an invisible one without width.
_REPLACED = re.compile(
    r"(?<=www)(?=\.)|(?<=:)(?=[\w+-]*[:/])|(?=@)|(?<=[<>~-])(?=[=>-](?:\s|$))", re.IGNORECASE
)
_WORD_JOINER = "\u2060"


class _Html(str):
    """HTML that is written as it is: Streamlit looks for a common indentation of each line of any
    other text, which takes longer than to make the text."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def show(html: str) -> None:
    """Puts a piece, or several one after another, on the page."""
    st.html(_Html(html))


def picture(values: AnyArray, scale: Scale, alt: str, width: int | str) -> str:
    """An array (h, w) as an image element, one pixel a cell, of a width in CSS pixels or as a CSS
    length."""
    length = f"{width}px" if isinstance(width, int) else width
    return (
        f'<img class="pixels" style="width:{length};max-width:100%" '
        f'src="{data_uri(values, scale)}" alt="{escape(alt)}">'
    )


def sheet(
    maps: FloatArray, scale: Scale | None, alt: str, captions: Sequence[str] | None = None
) -> str:
    """All maps (h, w, n), numbered from 0 if they have no captions.

    Without a scale each map has its own. There is room for one sheet on a page: the cells find its
    picture by name.
    """
    count = maps.shape[2]
    captions = captions or [str(index) for index in range(count)]
    cells = "".join(f"<div>{escape(caption)}<i></i></div>" for caption in captions)
    columns, rows = _grid(count)
    # Where each cell's map begins: a rule a column and a row, shorter than a style a cell.
    places = [
        f"nth-child({columns}n+{column + 1}) i{{background-position-x:{_share(column, columns)}}}"
        for column in range(columns)
    ] + [
        f"nth-child(n+{row * columns + 1}) i{{background-position-y:{_share(row, rows)}}}"
        for row in range(rows)
    ]
    rules = "".join(f".sheet div:{place}" for place in places)
    return (
        f"<style>:root{{--sheet:url({sheet_uri(maps, columns, scale)});"
        f"--columns:{columns};--rows:{rows}}}{rules}</style>"
        f'<div class="sheet" role="img" aria-label="{escape(alt)}">{cells}</div>'
    )


def colour_bar(scale: Scale, words: str = "") -> str:
    """The palette from end to end with the values of its ends, and what they mean."""
    gradient = ",".join(colour_stops(scale.palette))
    return (
        f'<div class="colour-bar">{number(scale.low)}'
        f'<span style="background:linear-gradient(90deg,{gradient})"></span>'
        f"{number(scale.high)}</div>" + (note(words) if words else "")
    )


def number_table(values: npt.NDArray[np.uint8]) -> str:
    """An array (h, w) as a table with row and column numbers; cells above 0 are marked."""
    # End tags that HTML lets one leave out are left out: they would double its size.
    head = "".join(f"<th>{column}" for column in range(values.shape[1]))
    body = "".join(
        f"<tr><th>{row}"
        + "".join(f"<td class=p>{value}" if value > 0 else "<td>0" for value in cells)
        for row, cells in enumerate(values.tolist())
    )
    return (
        f'<div class="fit"><table class="numbers cells" style="--cells:{values.shape[1] + 1}">'
        f"<tr><th>{head}{body}</table></div>"
    )


def scrolling(content: str, label: str) -> str:
    """Return content that may be wider than the page, in a box that the keyboard can scroll."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">{content}</div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values below each other."""
    rows = "".join(f"<span>{name}</span><b>{value}</b>" for name, value in pairs)
    return f'<div class="facts">{rows}</div>'


def probability_bars(probabilities: FloatArray, label: int) -> str:
    """The ten class probabilities as bars; the true class is set bold and ticked."""
    best = int(np.argmax(probabilities))
    return class_bars(
        probabilities,
        f"Bars of the ten class probabilities; highest {CLASS_NAMES[best]} with "
        f"{probabilities[best]:.1%}, true class {CLASS_NAMES[label]}.",
        label,
    )


def class_bars(shares: FloatArray, alt: str, label: int | None = None) -> str:
    """A share, 0 to 1, of each class as bars; the class `label` is set bold and ticked."""
    rows = "".join(
        f'<span class="{"true" if index == label else ""}">{escape(CLASS_NAMES[index])}'
        f"{' ✓' if index == label else ''}</span>"
        f'<span><span class="bar" style="width:{share:.1%}"></span></span>'
        f"<span>{share:.1%}</span>"
        for index, share in enumerate(shares.tolist())
    )
    return f'<div class="bars" role="img" aria-label="{escape(alt)}">{rows}</div>'


def paired_bars(
    rows: Sequence[tuple[str, Sequence[float]]], names: tuple[str, str], shares: bool = False
) -> str:
    """Two values a row as bars on one scale, the first blue, the second vermilion; shares, 0 to 1,
    as percentages on a scale that ends at 1."""
    largest = max((value for _, values in rows for value in values), default=0.0)
    longest = 1.0 if shares else largest or 1.0
    lines = []
    for name, values in rows:
        for position, (value, kind) in enumerate(zip(values, ("first", "second"), strict=True)):
            lines.append(
                f"<span>{escape(name) if position == 0 else ''}</span>"
                f'<span><span class="bar {kind}" style="width:{max(value, 0) / longest:.1%}">'
                f"</span></span><span>{f'{value:.1%}' if shares else number(value)}</span>"
            )
    legend = (
        f'<p class="note"><span class="key first"></span> {escape(names[0])} '
        f'<span class="key second"></span> {escape(names[1])}</p>'
    )
    alt = f"Bars of two values for each of {', '.join(name for name, _ in rows)}"
    return (
        legend + f'<div class="bars" role="group" aria-label="{escape(alt)}">{"".join(lines)}</div>'
    )


def class_quantiles(quantiles: FloatArray, alt: str) -> str:
    """Five quantiles of each class (10, 5) as a line from the first to the last, a box from the
    second to the fourth and a mark at the third, whose value stands beside it."""
    largest = float(quantiles.max(initial=0.0)) or 1.0
    rows = []
    for name, values in zip(CLASS_NAMES, quantiles.tolist(), strict=True):
        first, low, middle, high, last = (f"{max(value, 0) / largest:.1%}" for value in values)
        rows.append(
            f'<span>{escape(name)}</span><span class="box">'
            f'<i style="left:{first};right:calc(100% - {last})"></i>'
            f'<b style="left:{low};right:calc(100% - {high})"></b>'
            f'<u style="left:{middle}"></u></span><span>{number(values[2])}</span>'
        )
    return f'<div class="bars" role="img" aria-label="{escape(alt)}">{"".join(rows)}</div>'


def legend(colours: Mapping[str, str]) -> str:
    """The colours of a chart, by name."""
    keys = (
        f'<span class="key" style="background:{colour}"></span> {escape(name)}'
        for name, colour in colours.items()
    )
    return f'<p class="note legend">{" ".join(f"<span>{key}</span>" for key in keys)}</p>'


def link(target: str, words: str) -> str:
    """A link to a relative address from `state.address`."""
    return f'<a href="{escape(target)}" target="_self">{words}</a>'


@lru_cache(256)  # each run of a page asks for the names of all layers
def as_text(text: str) -> str:
    """Return Markdown that Streamlit shows as the text itself: a name, or words of an address.

    A name of letters, digits, spaces and inner . _ - is its own Markdown. White space is collapsed,
    as HTML collapses it.
    """
    collapsed = re.sub(r"\s+", " ", text)
    return _SYNTAX.sub(r"\\\g<0>", _REPLACED.sub(_WORD_JOINER, collapsed))


def sentence(message: object) -> str:
    """Return Markdown of an error's message: plain text, with this project's commands as code."""
    parts = re.split(r"(`python -m core\.[^`\n]+`)", str(message))
    parts[::2] = map(as_text, parts[::2])  # the commands stand between the texts
    return "".join(parts)


def file_name(text: str) -> str:
    """Return a text as part of a file's name that each system accepts."""
    return re.sub(r"[^\w.-]+", "_", text)


def title(text: str, detail: str = "") -> str:
    """The heading of one figure, plain text."""
    small = f" <small>{escape(detail)}</small>" if detail else ""
    return f'<p class="figure-title">{escape(text)}{small}</p>'


def note(text: str) -> str:
    """The words beside a figure. May hold HTML."""
    return f'<p class="note">{text}</p>'


def row(*pieces: str) -> str:
    """Pieces beside each other, wrapped where the page is narrow; the last takes what is left."""
    return f'<div class="row">{"".join(f"<div>{piece}</div>" for piece in pieces)}</div>'


def halves(*pieces: str) -> str:
    """Pieces of equal width beside each other, below each other where the page is narrow."""
    return f'<div class="row halves">{"".join(f"<div>{piece}</div>" for piece in pieces)}</div>'


def shape(dimensions: tuple[int, ...]) -> str:
    """A shape as in "26×26×64"."""
    return "×".join(str(size) for size in dimensions)


def class_label(label: int) -> str:
    """Return number and name of a class, as in "8 Bag"."""
    return f"{label} {CLASS_NAMES[label]}"


def number(value: float) -> str:
    """A value with three significant digits, and plainly 0 where it is 0."""
    return "0" if value == 0 else f"{value:.3g}".replace("-", "−")


def missing(value: float | None, form: str) -> str:
    """A value in a table, or a dash where there is none."""
    return "–" if value is None else format(value, form)


def _grid(count: int) -> tuple[int, int]:
    """Columns and rows of a sheet of `count` maps."""
    columns = min(SHEET_COLUMNS, count)
    return columns, -(-count // columns)


def _share(position: int, count: int) -> str:
    """Where in a picture of `count` cells a side cell `position` begins, as CSS counts it."""
    return f"{100 * position / max(count - 1, 1):.6g}%"
