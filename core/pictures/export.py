"""Arrays and tables as files for download: CSV, NPY and NPZ."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.pictures.scales import AnyArray


def numbers_csv(values: AnyArray) -> str:
    """Return an array (h, w) as CSV text, from which float32 values read back exactly."""
    buffer = io.StringIO()
    # Nine significant digits determine a float32.
    np.savetxt(buffer, values, fmt="%.9g", delimiter=",")
    return buffer.getvalue()


def table_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows with named columns as a CSV file."""
    return pd.DataFrame(rows, columns=list(header)).to_csv(index=False).encode()


def numbers_npy(values: AnyArray) -> bytes:
    """Return an array of any shape as an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def arrays_npz(arrays: dict[str, AnyArray]) -> bytes:
    """Return named arrays as an NPZ file."""
    buffer = io.BytesIO()
    # Not np.savez_compressed(**arrays): a layer may be called "file", as an argument of it is.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
    return buffer.getvalue()
