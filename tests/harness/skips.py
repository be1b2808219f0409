"""Conditions under which a test is skipped; in CI none is."""

import os

import pytest

from core import dataset

needs_train = pytest.mark.skipif(
    not dataset.train_available() and "CI" not in os.environ,
    reason="the training split is not on this machine (`python -m core.dataset download`)",
)
