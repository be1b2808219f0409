"""Plain-text tables for what the benchmarks print."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

import streamlit


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned: the first to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = "  ".join("-" * width for width in widths)
    shown = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([shown[0], rule, *shown[1:]])


def machine() -> str:
    """One line that says what the figures were taken on; the load average tells of neighbours."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()} cores{load}, {platform.system()}, Python {platform.python_version()}, "
        f"Streamlit {streamlit.__version__}"
    )
