"""Results are kept for all sessions."""

from __future__ import annotations

import pytest

from core import memo


def test_a_piece_is_made_once_for_all_that_it_depends_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memo, "MOST_KEPT", 2)
    made = []

    def piece(number: int) -> str:
        def make() -> str:
            made.append(number)
            return f"{number} × é"

        return memo.kept(make, "test", number)

    assert [piece(number) for number in (1, 2, 1, 3, 1, 2)] == [
        f"{number} × é" for number in (1, 2, 1, 3, 1, 2)
    ]
    assert made == [1, 2, 3, 2]  # the one that was not asked for the longest went
