from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.pipelines.serving.forecast import Course, Lane, begins_s
from limner.pipelines.serving.pace import Pace
from limner.pipelines.serving.tickets import Ticket


def course(key: str, steps: int, rows: int = 2, model: str = "m", tenant: str = "") -> Course:
    return Course(Ticket(key, (), tenant, "", 1.0), model, rows, float(rows), steps)


def lane(*courses: Course, max_rows: int = 4, models: str = "m", tick: float = 1.0) -> Lane:
    return Lane(courses, max_rows, frozenset(models), lambda _, weight: tick * weight)


def anyone(_: Ticket, __: list[Ticket]) -> bool:
    return True


def test_an_idle_worker_begins_at_once() -> None:
    assert begins_s([lane()], [course("a", 10)], anyone) == {"a": 0.0}


def test_a_full_worker_begins_when_the_first_one_leaves() -> None:
    busy = lane(course("x", 5), course("y", 9))
    begins = begins_s([busy], [course("a", 10), course("b", 3)], anyone)
    # Ticks of 4 rows take 4 s: x leaves after 5, y after 4 more.
    assert begins == {"a": 20.0, "b": 36.0}


def test_two_workers_share_the_queue() -> None:
    lanes = [lane(course("x", 5, rows=4)), lane(course("y", 2, rows=4))]
    begins = begins_s(lanes, [course("a", 100), course("b", 1)], anyone)
    assert begins == {"a": 8.0, "b": 8.0}


def test_a_model_waits_for_the_worker_that_has_it() -> None:
    lanes = [lane(models="m"), lane(course("y", 3, rows=4, model="n"), models="n")]
    begins = begins_s(
        lanes, [course("n1", 1, model="n"), course("m1", 1), course("o1", 1, model="o")], anyone
    )
    assert begins == {"m1": 0.0, "n1": 12.0}


def test_limits_on_running_are_in_the_forecast() -> None:
    def one_each(ticket: Ticket, running: list[Ticket]) -> bool:
        return all(t.tenant != ticket.tenant for t in running)

    waiting = [course("a1", 2, tenant="a"), course("a2", 2, tenant="a"), course("b", 5, tenant="b")]
    begins = begins_s([lane(max_rows=8)], waiting, one_each)
    assert begins["a1"] == begins["b"] == 0.0
    assert begins["a2"] == pytest.approx(8.0)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 8)), max_size=25),
    st.lists(st.integers(1, 16), min_size=1, max_size=3),
)
def test_every_ticket_begins_and_later_ones_never_before_earlier_ones(
    asks: list[tuple[int, int]], capacities: list[int]
) -> None:
    waiting = [course(str(i), steps, rows) for i, (steps, rows) in enumerate(asks)]
    begins = begins_s([lane(max_rows=most) for most in capacities], waiting, anyone)
    times = [begins[str(i)] for i in range(len(asks))]
    assert times == sorted(times)


def test_the_pace_finds_the_line_through_noisy_ticks() -> None:
    chance = random.Random(0)
    pace = Pace()
    for _ in range(300):
        ticks, weight = chance.randint(1, 5), chance.randint(2, 32)
        seconds = ticks * (0.02 + 0.007 * weight) * chance.uniform(0.9, 1.1)
        pace.observe(ticks, ticks * weight, ticks * weight, seconds)
    for weight in (2, 16, 32):
        assert pace.round_s(weight) == pytest.approx(0.02 + 0.007 * weight, rel=0.05)


def test_rows_that_do_not_fit_into_one_tick_make_the_round_longer() -> None:
    pace = Pace()
    for live in (8, 16, 32, 40):
        # Ticks of at most 16 rows, 0.16 s each.
        pace.observe(10, 10 * min(live, 16), 10 * live, 10 * 0.01 * min(live, 16))
    assert pace.round_s(32) == pytest.approx(0.32, rel=0.01)


def test_a_cold_first_tick_is_soon_outweighed() -> None:
    pace = Pace()
    pace.observe(1, 16, 16, 0.7)
    for _ in range(9):
        pace.observe(1, 16, 16, 0.1)
    assert pace.round_s(16) == pytest.approx(0.1, rel=0.25)


def test_the_pace_follows_a_change() -> None:
    pace = Pace()
    for tick in (0.1, 0.3):
        for _ in range(400):
            pace.observe(1, 8, 8, tick)
    assert pace.round_s(8) == pytest.approx(0.3, rel=0.01)


def test_the_pace_of_nothing_is_unknown_and_never_negative() -> None:
    pace = Pace()
    assert not pace.is_measured
    assert pace.round_s(4) == 0.0
    pace.observe(1, 2, 2, 0.9)
    pace.observe(1, 32, 32, 0.1)
    assert pace.round_s(64) > 0
