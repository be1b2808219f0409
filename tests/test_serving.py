"""What lets a class share one process."""

from __future__ import annotations

import threading
import time

import pytest
from streamlit import config

from core import cache
from ui import serving


def test_one_computes_and_the_others_wait() -> None:
    done, now, most = [], [], []

    def run(number: int) -> None:
        with serving.turn(), serving.turn():  # a fragment's inside of its page's
            now.append(number)
            time.sleep(0.01)  # long enough for another to come in, if it could
            most.append(len(now))
            now.remove(number)
        done.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(done) == list(range(8))
    assert max(most) == 1


def test_others_have_their_turn_while_one_stands_aside() -> None:
    order = []

    def other() -> None:
        with serving.turn():
            order.append("other")

    thread = threading.Thread(target=other)
    with serving.aside(), serving.turn():  # without a turn it does nothing
        thread.start()
        with serving.aside():
            thread.join(10)
        order.append("one")
    assert order == ["other", "one"]


def test_a_run_that_fails_leaves_its_place() -> None:
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), serving.turn():
            raise ZeroDivisionError
    with serving.turn(), pytest.raises(ZeroDivisionError), serving.aside():
        raise ZeroDivisionError
    assert not serving._place.locked()


@pytest.mark.parametrize("section", ["theme", "theme.dark", "theme.light.sidebar", "server"])
def test_the_settings_that_browsers_are_told_are_the_settings(section: str) -> None:
    options = config.get_config_options().values()
    expected = {option.name: option.value for option in options if option.section == section}
    assert expected
    for _ in range(2):
        found = config.get_options_for_section(section)
        assert found == expected
        found.clear()  # theirs to change


def test_a_piece_is_made_once_for_all_that_it_depends_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "MOST_KEPT", 2)
    made = []

    def piece(number: int) -> str:
        def make() -> str:
            made.append(number)
            return f"{number} × é"

        return cache.kept(make, "test", number)

    assert [piece(number) for number in (1, 2, 1, 3, 1, 2)] == [
        f"{number} × é" for number in (1, 2, 1, 3, 1, 2)
    ]
    assert made == [1, 2, 3, 2]  # the one that was not asked for the longest went
