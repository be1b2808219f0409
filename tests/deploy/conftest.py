"""A real nginx in front of real servers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.browser.conftest import browser, visit  # noqa: F401, fixtures
from tests.harness.site import NGINX, Site

StartSite = Callable[[int], Site]


@pytest.fixture(scope="session")
def _nginx() -> None:
    if NGINX is None:
        reason = "nginx is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def start_site(_nginx: None) -> Iterator[StartSite]:
    """Starts so many replicas behind nginx; nginx and they stop at the end of the test."""
    with ExitStack() as sites:
        yield lambda replicas: sites.enter_context(Site(replicas))


@pytest.fixture(scope="module")
def site(_nginx: None) -> Iterator[Site]:
    """Two replicas, for all tests that leave them alone."""
    with Site(2) as two:
        yield two
