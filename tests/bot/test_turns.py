from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.turns import Turns


def test_a_burst_goes_at_once_and_a_crowd_is_spread() -> None:
    turns = Turns(10, lambda: 100.0)
    waits_s = [turns.wait_s() for _ in range(1000)]
    assert waits_s[:10] == pytest.approx([0.0] * 10)
    assert waits_s[-1] == pytest.approx(99.0)


@given(st.lists(st.floats(0, 3), max_size=200), st.floats(1, 50))
def test_never_more_than_twice_as_many_in_any_second(pauses_s: list[float], per_s: float) -> None:
    clock = 0.0
    turns = Turns(per_s, lambda: clock)
    at: list[float] = []
    for pause_s in pauses_s:
        clock += pause_s
        at.append(clock + turns.wait_s())
    assert at == sorted(at)
    for first in at:
        assert sum(first <= moment < first + 1.0 for moment in at) <= 2 * per_s + 1
