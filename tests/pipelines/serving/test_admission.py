from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from limner.pipelines.serving.admission import Admission
from limner.pipelines.serving.config import Fairness, Limits
from limner.pipelines.serving.tickets import Ticket


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def ticket(key: object, tenant: str = "a", cost: float = 1.0, group: str = "g") -> Ticket:
    return Ticket(str(key), (), tenant, group, cost)


def admission(clock: Clock, limits: Limits | None = None, **fairness: float) -> Admission:
    limits = limits or Limits(10_000, None, None)
    return Admission(limits, Fairness(**fairness), clock)


def take_all(queue: Admission) -> list[str]:
    keys: list[str] = []
    while (taken := queue.take(lambda _: True)) is not None:
        keys.append(taken.key)
        queue.finish(taken.key)
    return keys


def test_one_tenants_tickets_run_in_the_order_of_their_arrival() -> None:
    queue = admission(Clock())
    for i in range(5):
        queue.add(ticket(i))
    assert take_all(queue) == ["0", "1", "2", "3", "4"]


def test_a_newcomer_passes_a_flood() -> None:
    queue = admission(Clock())
    for i in range(100):
        queue.add(ticket(f"flood {i}"))
    first = queue.take(lambda _: True)
    queue.add(ticket("newcomer", "b"))
    second = queue.take(lambda _: True)
    assert first is not None
    assert second is not None
    assert (first.key, second.key) == ("flood 0", "newcomer")


def test_shares_are_equal_in_cost_not_in_jobs() -> None:
    queue = admission(Clock())
    for i in range(90):
        queue.add(ticket(f"big {i}", "a", cost=4.0))
        queue.add(ticket(f"small {i}", "b", cost=1.0))
    served = Counter(key.split()[0] for key in take_all(queue)[:50])
    assert served["big"] == 10
    assert served["small"] == 40


def test_what_was_used_is_forgotten_by_half() -> None:
    clock = Clock()
    queue = admission(clock, half_life_s=60.0)
    queue.add(ticket(1, "a", cost=8.0))
    take_all(queue)
    clock.now += 120
    assert queue.used("a") == pytest.approx(2.0)
    clock.now -= 500
    assert queue.used("a") <= 8.0


def test_what_a_cancelled_job_did_not_use_is_not_held_against_its_owner() -> None:
    queue = admission(Clock())
    queue.add(ticket(1, "a", cost=8.0))
    queue.take(lambda _: True)
    queue.finish("1", used_share=0.25)
    assert queue.used("a") == pytest.approx(2.0)


def test_waiting_outweighs_any_stream_of_newcomers() -> None:
    clock = Clock()
    queue = admission(clock, aging_s=30.0, half_life_s=1e9)
    queue.add(ticket("spent", "heavy", cost=20.0))
    take_all(queue)
    queue.add(ticket("patient", "heavy", cost=1.0))
    for i in range(5000):
        queue.add(ticket(i, f"newcomer {i}", cost=1.0))
        taken = queue.take(lambda _: True)
        assert taken is not None
        queue.finish(taken.key)
        if taken.key == "patient":
            break
        clock.now += 1.0
    else:
        pytest.fail("starved")
    # 20 jobs' worth of usage, 30 s each.
    assert i <= 20 * 30 + 30


def test_the_order_told_is_the_order_taken() -> None:
    queue = admission(Clock())
    for i in range(30):
        queue.add(ticket(i, "abc"[i % 3], cost=1.0 + i % 4))
    told = [t.key for t in queue.order()]
    assert take_all(queue) == told


@pytest.mark.parametrize("tenant", ["a", "b", "c", "new"])
@pytest.mark.parametrize("in_s", [0.0, 30.0, 300.0])
def test_the_line_knows_where_who_comes_later_will_stand(tenant: str, in_s: float) -> None:
    clock = Clock()
    queue = admission(clock, half_life_s=1e9, aging_s=30.0)
    for i in range(8):
        queue.add(ticket(f"before {i}", "aab"[i % 3]))
    for _ in range(6):
        taken = queue.take(lambda _: True)
        assert taken is not None
        queue.finish(taken.key)
    for i in range(30):
        # Of equal cost: then what a second's waiting is worth stays the same.
        queue.add(ticket(i, "aaabbc"[i % 6]))
        clock.now += 3.0
    line = queue.line()
    claims = [claim for claim, _ in line.places]
    assert claims == sorted(claims)
    assert [one for _, one in line.places] == list(queue.order())
    expected = line.claim(tenant) + in_s * line.per_second
    clock.now += in_s
    queue.add(ticket("late", tenant))
    place = [one.key for one in queue.order()].index("late")
    assert place == sum(claim <= expected + 1e-6 for claim in claims)


def test_limits_on_waiting_are_told_in_a_sentence() -> None:
    queue = admission(Clock(), Limits(waiting=4, waiting_per_tenant=2, waiting_per_group=3))
    queue.add(ticket(1, "a"))
    assert queue.refusal("a", "g") is None
    queue.add(ticket(2, "a"))
    assert "You have 2" in (queue.refusal("a", "g") or "")
    queue.add(ticket(3, "b"))
    assert "server has 3" in (queue.refusal("c", "g") or "")
    assert queue.refusal("c", "elsewhere") is None
    queue.add(ticket(4, "c", group="elsewhere"))
    assert "full: 4" in (queue.refusal("d", "third") or "")


def test_limits_on_running_let_others_pass() -> None:
    queue = admission(Clock(), Limits(running_per_tenant=1, running_per_group=2))
    for key, tenant, group in [(1, "a", "g"), (2, "a", "g"), (3, "b", "g"), (4, "c", "g"),
                               (5, "d", "h")]:  # fmt: skip
        queue.add(ticket(key, tenant, group=group))
    taken = [t.key for _ in range(5) if (t := queue.take(lambda _: True)) is not None]
    assert taken == ["1", "3", "5"]
    queue.finish("1")
    again = queue.take(lambda _: True)
    assert again is not None
    assert again.key in {"2", "4"}


def test_one_key_cannot_wait_twice() -> None:
    queue = admission(Clock())
    queue.add(ticket(1))
    with pytest.raises(ValueError, match="has not ended"):
        queue.add(ticket(1))


class AdmissionMachine(RuleBasedStateMachine):
    """Nothing is lost or doubled, limits hold, usage is never negative and never grows alone."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue = admission(self.clock, Limits(8, 3, 6, 2, 3))
        self.count = 0
        self.waiting: dict[str, Ticket] = {}
        self.running: dict[str, Ticket] = {}

    @rule(tenant=st.sampled_from("abcd"), group=st.sampled_from("gh"), cost=st.floats(0.01, 50))
    def submit(self, tenant: str, group: str, cost: float) -> None:
        new = ticket(self.count, tenant, cost, group)
        self.count += 1
        mine = sum(t.tenant == tenant for t in self.waiting.values())
        here = sum(t.group == group for t in self.waiting.values())
        is_refused = len(self.waiting) >= 8 or mine >= 3 or here >= 6
        assert (self.queue.refusal(tenant, group) is not None) == is_refused
        if not is_refused:
            self.queue.add(new)
            self.waiting[new.key] = new

    @rule(forbidden=st.sampled_from(["", "a", "b"]))
    def take(self, forbidden: str) -> None:
        taken = self.queue.take(lambda t: t.tenant != forbidden)
        tenants = Counter(t.tenant for t in self.running.values())
        groups = Counter(t.group for t in self.running.values())
        able = [
            t
            for t in self.waiting.values()
            if t.tenant != forbidden and tenants[t.tenant] < 2 and groups[t.group] < 3
        ]
        assert (taken is None) == (not able)
        if taken is not None:
            assert taken in able
            self.running[taken.key] = self.waiting.pop(taken.key)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), share=st.floats(0, 1))
    def finish(self, data: st.DataObject, share: float) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.queue.finish(key, used_share=share)
        del self.running[key]

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.queue.withdraw(key)
        del self.waiting[key]
        assert not self.queue.withdraw(key)

    @rule(seconds=st.floats(-1000, 10_000))
    def pass_time(self, seconds: float) -> None:
        before = {tenant: self.queue.used(tenant) for tenant in "abcd"}
        self.clock.now += seconds
        if seconds >= 0:
            assert all(self.queue.used(t) <= used + 1e-9 for t, used in before.items())

    @invariant()
    def counts_agree(self) -> None:
        assert sorted(t.key for t in self.queue.order()) == sorted(self.waiting)
        assert self.queue.num_waiting == len(self.waiting)
        assert self.queue.num_running == len(self.running)
        assert all(self.queue.used(tenant) >= 0 for tenant in "abcd")


TestAdmissionMachine = AdmissionMachine.TestCase
TestAdmissionMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
