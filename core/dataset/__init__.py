"""Fashion-MNIST: find it on this machine, verify it byte for byte, read it.

`load_split` takes a split from the first folder that holds both of its files; the docstring of
`core.dataset.sources` has the order. Nothing is downloaded unless `python -m core.dataset download`
is run: a process that serves a page must not start a transfer of 30 MB.
"""

from core.dataset.errors import DatasetError
from core.dataset.sources import folder_of, load_split, load_train_summary, train_available
from core.dataset.splits import (
    CLASS_NAMES,
    Split,
    SplitName,
    TrainSummary,
    hold_out,
    summarise,
    to_input,
)

__all__ = [
    "CLASS_NAMES",
    "DatasetError",
    "Split",
    "SplitName",
    "TrainSummary",
    "folder_of",
    "hold_out",
    "load_split",
    "load_train_summary",
    "summarise",
    "to_input",
    "train_available",
]
