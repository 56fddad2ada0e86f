from __future__ import annotations

import random
import time
from collections import Counter, deque
from itertools import count, pairwise, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.pipelines.serving.admission import Admission
from limner.pipelines.serving.arrivals import Arrivals
from limner.pipelines.serving.config import Fairness, Limits
from limner.pipelines.serving.forecast import MOST_TICKS, Forecast
from limner.pipelines.serving.lobby import Claimant, Lobby
from limner.pipelines.serving.pace import Pace
from limner.pipelines.serving.tickets import Ticket
from limner.pipelines.serving.track import Course, Lane
from limner.pipelines.serving.workload import Load

UNLIMITED = Limits()
"""As to running."""


def course(key: str, *ticks: int, rows: int = 2, model: str = "m", tenant: str = "") -> Course:
    """A picture for each number of ticks."""
    loads = tuple(Load(rows, float(rows), each) for each in ticks)
    return Course(Ticket(key, (), tenant or key, "", float(len(ticks))), model, loads)


def pace(seconds_a_row: float = 1.0, most: int | None = None) -> Pace:
    """Of ticks that take so long a row, and so many rows at most."""
    found = Pace()
    for alive in (2, 8, 32):
        rows = min(alive, most or alive)
        found.observe(10, 10 * rows, 10 * alive, 10 * seconds_a_row * rows)
    return found


def lane(*courses: Course, max_rows: int = 4, models: str = "m", most: int | None = None) -> Lane:
    return Lane(courses, max_rows, frozenset(models), dict.fromkeys(models, pace(most=most)))


def begins(
    lanes: list[Lane],
    waiting: list[Course],
    newcomers: tuple[Claimant, ...] = (),
    limits: Limits = UNLIMITED,
) -> dict[str, float]:
    claimants = [Claimant(float(i), one) for i, one in enumerate(waiting)]
    return Forecast(lanes, claimants, iter(newcomers), limits).play()


def test_an_idle_worker_begins_at_once() -> None:
    assert begins([lane()], [course("a", 10)]) == {"a": 0.0}


def test_a_full_worker_begins_when_the_first_one_leaves() -> None:
    busy = lane(course("x", 5), course("y", 9))
    # Ticks of 4 rows take 4 s: x leaves after 5, y after 4 more.
    found = begins([busy], [course("a", 10), course("b", 3)])
    assert found == pytest.approx({"a": 20.0, "b": 36.0})


def test_a_picture_that_is_through_makes_room_before_its_ticket_is() -> None:
    busy = lane(course("x", 2, 9))
    assert begins([busy], [course("a", 1)]) == pytest.approx({"a": 8.0})


def test_where_a_tick_takes_a_part_of_the_rows_who_has_used_least_is_in_it() -> None:
    """As the planner does it: b's one picture is in every tick, of a's three one at a time."""
    busy = lane(course("a", 4, 4, 4), course("b", 4), max_rows=8, most=4)
    # Ticks of 4 rows take 4 s.
    assert begins([busy], [course("c", 1)]) == pytest.approx({"c": 16.0})


def test_two_workers_share_the_queue() -> None:
    lanes = [lane(course("x", 5, rows=4)), lane(course("y", 2, rows=4))]
    found = begins(lanes, [course("a", 100), course("b", 1)])
    assert found == pytest.approx({"a": 8.0, "b": 8.0})


def test_a_model_waits_for_the_worker_that_has_it() -> None:
    lanes = [lane(models="m"), lane(course("y", 3, rows=4, model="n"), models="n")]
    waiting = [course("n1", 1, model="n"), course("m1", 1), course("o1", 1, model="o")]
    assert begins(lanes, waiting) == pytest.approx({"m1": 0.0, "n1": 12.0})


def test_limits_on_running_are_in_the_forecast() -> None:
    waiting = [course("a1", 2, tenant="a"), course("a2", 2, tenant="a"), course("b", 5, tenant="b")]
    found = begins([lane(max_rows=8)], waiting, limits=Limits(running_per_tenant=1))
    assert found["a1"] == found["b"] == 0.0
    assert found["a2"] == pytest.approx(8.0)


def test_limits_on_running_hold_for_those_who_will_come_too() -> None:
    of = [("n", 0.0), ("m", 0.0), ("n", 0.0)]
    coming = tuple(Claimant(-1.0, course("", 5, tenant=tenant), in_s) for tenant, in_s in of)
    found = begins([lane(max_rows=6)], [course("a", 1)], coming, Limits(running_per_tenant=1))
    assert found == {"a": 0.0}


def test_a_ticket_runs_until_its_last_picture_is_through() -> None:
    busy = lane(course("x", 2, 5, tenant="a"), max_rows=8)
    found = begins([busy], [course("a1", 1, tenant="a")], limits=Limits(running_per_tenant=1))
    # Two ticks of 4 rows, three of 2.
    assert found == pytest.approx({"a1": 14.0})


@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from("abc"), st.sampled_from("gh"),
                       st.sampled_from("mn")), max_size=25),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 3]),
)  # fmt: skip
def test_who_is_next_under_limits_is_the_first_whom_they_let_run(
    asks: list[tuple[int, str, str, str]], per_tenant: int | None, per_group: int | None
) -> None:
    """Against a scan of the whole line; who is through leaves in turn."""
    limits = Limits(running_per_tenant=per_tenant, running_per_group=per_group)
    lobby, line, running = Lobby(limits), list[Ticket](), deque[Ticket]()
    for i, (_, tenant, group, model) in enumerate(asks):
        ticket = Ticket(str(i), (), tenant, group, 1.0)
        # Some come after others of a worse claim.
        lobby.enter(Claimant(float(i % 5), Course(ticket, model, ())))
        line.append(ticket)
    line.sort(key=lambda ticket: int(ticket.key) % 5)
    of_model = {str(i): model for i, (*_, model) in enumerate(asks)}
    for models in ("m", "n", "mn") * (len(asks) + 1):
        tenants, groups = Counter(t.tenant for t in running), Counter(t.group for t in running)
        able = [
            ticket
            for ticket in line
            if of_model[ticket.key] in models
            and (per_tenant is None or tenants[ticket.tenant] < per_tenant)
            and (per_group is None or groups[ticket.group] < per_group)
        ]
        taken = lobby.take(frozenset(models))
        assert (taken and taken.course.ticket) == (able[0] if able else None)
        if taken is not None:
            line.remove(taken.course.ticket)
            running.append(taken.course.ticket)
        if running and (taken is None or len(running) > 2):
            lobby.leave(running.popleft())
    assert not line


def test_who_will_come_with_a_better_claim_goes_first() -> None:
    busy = lane(course("x", 5, rows=4))
    soon = Claimant(-1.0, course("", 3, rows=4), 10.0)
    late = Claimant(-1.0, course("", 3, rows=4), 40.0)
    poor = Claimant(+9.0, course("", 3, rows=4), 10.0)
    assert begins([busy], [course("a", 1)], (soon,)) == pytest.approx({"a": 32.0})
    assert begins([busy], [course("a", 1)], (late,)) == pytest.approx({"a": 20.0})
    assert begins([busy], [course("a", 1)], (poor,)) == pytest.approx({"a": 20.0})


def test_whom_nothing_ever_has_room_for_does_not_keep_the_forecast_going() -> None:
    coming = (Claimant(9.0, course("", 3), float(i)) for i in count(1))
    waiting = [Claimant(0.0, course("a", 1))]
    assert Forecast([lane()], waiting, coming, Limits(running_per_tenant=0)).play() == {}


def test_a_model_that_was_not_measured_is_taken_to_be_like_another() -> None:
    unmeasured = Lane((course("y", 3, rows=4, model="n"),), 4, frozenset("mn"), {"m": pace()})
    assert begins([unmeasured], [course("a", 1)]) == pytest.approx({"a": 12.0})


def test_beyond_the_ticks_that_are_played_tickets_follow_each_other_as_fast_as_before() -> None:
    waiting = [course(str(i), 10, rows=4) for i in range(5 * MOST_TICKS // 10)]
    found = begins([lane()], waiting)
    # Each takes 10 ticks of 4 s.
    assert found == pytest.approx({str(i): 40.0 * i for i in range(len(waiting))})


@pytest.mark.parametrize("waiting", [60, 600])
def test_the_more_will_come_the_longer_one_waits(waiting: int) -> None:
    """However many of them there are, and wherever the play stops."""
    # Of those who wait eight a second, if they were alone; of those who come, sixteen.
    quick = Lane((), 32, frozenset("m"), {"m": pace(0.2 / 32)})
    for each_s in (0.5, 0.2, 0.1, 0.08):
        coming = (Claimant(-1.0, course("", 5), each_s * i) for i in count(1))
        line = [Claimant(float(i), course(str(i), 10)) for i in range(waiting)]
        found = Forecast([quick], line, coming, UNLIMITED).play()
        rest = 1.0 - 1.0 / 16.0 / each_s
        assert found[str(waiting - 1)] == pytest.approx(waiting / 8.0 / rest, rel=0.3)


def test_more_than_can_be_painted_are_not_taken_for_none() -> None:
    quick = Lane((), 32, frozenset("m"), {"m": pace(0.2 / 32)})
    for each_s in (0.06, 0.04, 0.02):
        coming = (Claimant(-1.0, course("", 5), each_s * i) for i in count(1))
        line = [Claimant(float(i), course(str(i), 10)) for i in range(600)]
        assert Forecast([quick], line, coming, UNLIMITED).play()["599"] > 600


def test_limits_on_running_make_a_play_of_a_long_queue_little_dearer() -> None:
    def cost_s(limits: Limits) -> float:
        chance = random.Random(1)
        line = [course(str(i), 20, tenant=f"t{chance.randrange(5)}") for i in range(1000)]
        coming = tuple(
            Claimant(-1.0, course("", 20, tenant=f"t{chance.randrange(5)}"), 10.0 * i)
            for i in range(200)
        )
        began = time.process_time()
        found = begins([lane(max_rows=32)], line, coming, limits)
        took_s = time.process_time() - began
        assert len(found) == 1000
        return took_s

    free_s = min(cost_s(UNLIMITED) for _ in range(3))
    limited_s = min(cost_s(Limits(running_per_tenant=2)) for _ in range(3))
    assert limited_s < 4 * free_s


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 8)), max_size=25),
    st.lists(st.integers(1, 16), min_size=1, max_size=3),
)
def test_every_ticket_begins_and_later_ones_never_before_earlier_ones(
    asks: list[tuple[int, int]], capacities: list[int]
) -> None:
    waiting = [course(str(i), ticks, rows=rows) for i, (ticks, rows) in enumerate(asks)]
    found = begins([lane(max_rows=most) for most in capacities], waiting)
    times = [found[str(i)] for i in range(len(asks))]
    assert times == sorted(times)


def expected(times: dict[str, list[float]], now: float, horizon_s: float) -> list[Claimant]:
    """Who is expected after tenants came at these times."""
    queue = Admission(Limits(), Fairness(), lambda: now)
    arrivals = Arrivals()
    arrivals.start(0.0)
    for at, tenant in sorted((at, tenant) for tenant, ats in times.items() for at in ats):
        arrivals.note(course("", 1, tenant=tenant), at)
    found = arrivals.expected(now, queue.line())
    return list(takewhile(lambda one: (one.in_s or 0.0) <= horizon_s, found))


def test_tenants_come_again_as_often_as_lately() -> None:
    times = {"often": [0.5 * i for i in range(80)], "seldom": [8.0 * i + 0.1 for i in range(5)]}
    found = expected(times, 40.0, 40.0)
    assert len(found) == pytest.approx(85, abs=1)
    often = sum(one.course.ticket.tenant == "often" for one in found)
    assert often == pytest.approx(80, abs=3)


def test_what_chance_may_have_done_is_not_expected_again() -> None:
    chance = random.Random(0)
    times: dict[str, list[float]] = {}
    for i in range(60):
        times.setdefault(f"t{chance.randrange(10)}", []).append(i * 0.5)
    counts = Counter(one.course.ticket.tenant for one in expected(times, 30.0, 30.0))
    assert max(map(len, times.values())) - min(map(len, times.values())) >= 4
    assert max(counts.values()) - min(counts.values()) <= 2


def test_a_rush_after_a_pause_is_not_spread_over_the_pause_nor_taken_for_ever() -> None:
    times = {"a": [float(i) for i in range(30)], "b": [3600.0 + i / 10 for i in range(30)]}
    assert len(expected(times, 3603.0, 60.0)) == pytest.approx(30, abs=1)


@pytest.mark.parametrize("gap_s", [2.0, 30.0, 120.0])
def test_those_who_come_seldom_are_expected_as_seldom_right_after_one_came(gap_s: float) -> None:
    times = {"a": [gap_s * i for i in range(int(7200 / gap_s) + 1)]}
    assert len(expected(times, 7200.0, 600.0)) == pytest.approx(600 / gap_s, abs=1)


def test_after_an_hour_in_which_nobody_came_hardly_anybody_is_expected() -> None:
    assert len(expected({"a": [float(i) for i in range(60)]}, 3660.0, 600.0)) <= 4


def test_one_who_came_a_second_after_the_start_is_not_taken_for_one_a_second() -> None:
    assert len(expected({"a": [1.0]}, 1.0, 100.0)) <= 10


def test_those_who_come_again_and_again_claim_less_and_less() -> None:
    claims = [one.claim for one in expected({"a": [1.0, 2.0, 3.0]}, 4.0, 30.0)]
    assert len(claims) > 5
    assert all(later - sooner > 1.0 for sooner, later in pairwise(claims))


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


def test_the_pace_knows_how_many_rows_a_tick_takes() -> None:
    pace = Pace()
    pace.observe(10, 80, 80, 0.8)
    assert pace.tick_weight(40) == 40
    for live in (20, 24, 28):
        pace.observe(10, 160, 10 * live, 1.6)
    assert pace.tick_weight(30) == pytest.approx(16)
    assert pace.tick_weight(12) == 12
    # Half of a bucket of 32 was faster than padding; of what fills it nobody is left out.
    pace.observe(10, 320, 380, 3.2)
    assert pace.tick_weight(40) == pytest.approx(32)
    assert pace.tick_weight(20) == pytest.approx(16)
    pace.observe(1, 30, 30, 0.3)
    assert pace.tick_weight(31) == 30


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
