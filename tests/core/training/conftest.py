"""A small training, shared by the tests of a file, and a place for another."""

import pytest

from tests.core.training.small import SHORT, train_into


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_into(tmp_path_factory.mktemp("models") / "short", SHORT)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "models" / "new"
