"""What several tests of `core` share."""

from collections.abc import Iterator

import pytest

from core.evidence import insights


@pytest.fixture(scope="module")
def quick_embedding() -> Iterator[None]:
    """A stand-in for the neighbour embedding, which takes longer than a small network's training;
    its own tests are in test_insights.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(insights, "_embedding", lambda features, _progress: features[:, :2])
        yield
