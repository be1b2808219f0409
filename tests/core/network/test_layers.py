"""The fast convolution computes its definition, whatever its kernel, stride and padding."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.network import Conv2D, Slide


@st.composite
def convolutions(draw: st.DrawFn) -> Conv2D:
    """Draw a convolution with random weights."""
    height, width = (draw(st.integers(1, 7)) for _ in "hw")
    channels, filters = (draw(st.integers(1, 3)) for _ in "cf")
    kernel_height, kernel_width = draw(st.integers(1, height)), draw(st.integers(1, width))
    padding = draw(st.sampled_from(("valid", "same")))
    rows = Slide.padded(height, kernel_height, draw(st.integers(1, 3)), padding)
    cols = Slide.padded(width, kernel_width, draw(st.integers(1, 3)), padding)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (kernel_height, kernel_width, channels, filters)
    weights = {"kernel": rng.standard_normal(shape, np.float32)}
    if draw(st.booleans()):
        weights["bias"] = rng.standard_normal(filters, np.float32)
    return Conv2D("conv", (height, width, channels), rows, cols, weights)


@given(layer=convolutions(), n=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_fast_convolution_equals_six_loops(layer: Conv2D, n: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((n, *layer.input_shape), np.float32)
    expected = layer.pre_activation_by_loops(x)
    assert expected.shape == (n, *layer.output_shape)
    np.testing.assert_allclose(layer.pre_activation(x), expected, rtol=1e-4, atol=1e-5)


def test_loops_compute_an_edge_detector_by_hand() -> None:
    """A kernel (-1, 1) gives the difference of neighbours, and stays 0 on a flat area."""
    kernel = np.array([[-1, 1]], np.float32).reshape(1, 2, 1, 1)
    layer = Conv2D("edge", (1, 5, 1), Slide(1), Slide(5, window=2), {"kernel": kernel})
    x = np.array([0, 0, 3, 3, 1], np.float32).reshape(1, 1, 5, 1)
    assert layer.pre_activation_by_loops(x).ravel().tolist() == [0, 3, 0, -2]
    assert layer.pre_activation(x).ravel().tolist() == [0, 3, 0, -2]
