"""Parts that the Vega-Lite specifications share: their type, and their data as Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow

Spec = dict[str, Any]
"""A Vega-Lite specification, or a part of one."""

MAX_FILTER_LABELS = 64
"""Filters of a layer up to which an axis has each filter's number."""


def rows_data(rows: Sequence[Mapping[str, Any]]) -> Spec:
    """Return a chart's data, from Python's own numbers and texts.

    As the bytes that go to the browser, because Streamlit takes seven times as long to make them of
    the same rows.
    """
    return arrow_data(pyarrow.Table.from_pylist(rows))


def arrow_data(table: pyarrow.Table) -> Spec:
    """Return a chart's data, as the bytes that go to the browser."""
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return {"data": {"name": "rows"}, "datasets": {"rows": sink.getvalue().to_pybytes()}}
