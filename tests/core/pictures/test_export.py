"""Files of numbers read back exactly."""

import io

import numpy as np

from core.pictures.export import arrays_npz, numbers_csv, numbers_npy

RNG = np.random.default_rng(0)


def test_numbers_read_back_exactly() -> None:
    values = RNG.normal(size=(5, 5)).astype(np.float32)
    csv = np.loadtxt(io.StringIO(numbers_csv(values)), delimiter=",", dtype=np.float32)
    assert np.array_equal(csv, values)
    assert np.array_equal(np.load(io.BytesIO(numbers_npy(values))), values)
    arrays = {"a": values, "file": values + 1, "allow_pickle": values + 2}
    archive = np.load(io.BytesIO(arrays_npz(arrays)), allow_pickle=False)
    assert archive.files == list(arrays)
    assert all(np.array_equal(archive[name], array) for name, array in arrays.items())
