"""What several tests of `core` share."""

from collections.abc import Iterator

import pytest

from core.evidence import measure


@pytest.fixture(scope="module")
def quick_embedding() -> Iterator[None]:
    """A stand-in for the neighbour embedding, which takes longer than a small network's training;
    its own tests are in evidence/test_embedding.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "embed_neighbours", lambda features, _progress: features[:, :2])
        yield
