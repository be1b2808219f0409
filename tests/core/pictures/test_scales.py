"""Colour scales fit the values, and values get the right palette entries."""

import numpy as np

from core.pictures.scales import Scale, to_indices


def test_a_scale_without_negative_values_starts_at_zero() -> None:
    scale = Scale.of(np.array([[0.5, 2.0]], np.float32))
    assert (scale.low, scale.high, scale.palette) == (0, 2, "sequential")


def test_a_scale_with_a_negative_value_is_centred_on_zero() -> None:
    scale = Scale.of(np.array([[-3.0, 1.0]], np.float32))
    assert (scale.low, scale.high, scale.palette) == (-3, 3, "diverging")


def test_a_scale_of_zeros_has_a_length() -> None:
    assert Scale.of(np.zeros((2, 2), np.float32)).high == 1
    assert Scale.centred(np.zeros((2, 2), np.float32)).low == -1


def test_indices_are_spread_evenly_and_clipped() -> None:
    values = np.array([-1.0, 0.0, 0.5, 1.0, 9.0], np.float32)
    assert to_indices(values, Scale(0, 1, "sequential")).tolist() == [0, 0, 128, 255, 255]
