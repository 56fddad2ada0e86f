"""A state machine over jobs and ledger: whatever happens in whatever order, credits conserve, every
job ends once, and nothing goes below zero."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from limner.storage import (
    Allowance,
    JobStatus,
    Period,
    QuotaRefusedError,
    Rule,
    Storage,
    Window,
)
from limner.storage.errors import IllegalTransitionError, NoSuchJobError
from limner.storage.ledger import EntryKind
from limner.storage.quota_rules import Scope
from limner.storage.quotas import Reason

from .makers import ADMIN, GUILD, Clock, ask, painted

if TYPE_CHECKING:
    from collections.abc import Coroutine

ALLOWANCE = 6000
BUDGET = 15_000
PERIOD = Period(Window.ROLLING, 1000.0)
USERS = (1, 2, 3)

LEGAL = {
    "start": {JobStatus.QUEUED, JobStatus.RUNNING},
    "store": {JobStatus.QUEUED, JobStatus.RUNNING},
    "fail": {JobStatus.QUEUED, JobStatus.RUNNING},
    "cancel": {JobStatus.QUEUED, JobStatus.RUNNING},
}
LEADS_TO = {
    "start": JobStatus.RUNNING,
    "store": JobStatus.STORED,
    "fail": JobStatus.FAILED,
    "cancel": JobStatus.CANCELLED,
}


@dataclass
class Believed:
    """What the model thinks of a job."""

    user_id: int
    cost: int
    at: float
    status: JobStatus = JobStatus.QUEUED
    settled: int = 0
    told: bool = False

    @property
    def counts(self) -> int:
        if self.status in (JobStatus.QUEUED, JobStatus.RUNNING):
            return self.cost
        return self.settled


class Life(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    @initialize()
    def open_it(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.believed: dict[int, Believed] = {}
        self.granted: dict[int, int] = dict.fromkeys(USERS, 0)
        self.storage: Storage | None = None
        self._open()
        self.run(self.here.rules.set(GUILD, Scope.DEFAULT, 0, Rule(_rolling(ALLOWANCE)), by=ADMIN))
        self.run(self.here.rules.set(GUILD, Scope.BUDGET, 0, Rule(_rolling(BUDGET)), by=ADMIN))

    @property
    def here(self) -> Storage:
        assert self.storage is not None
        return self.storage

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine)

    def _open(self) -> None:
        self.context = Storage.open(self.folder, clock=self.clock)
        self.storage = self.run(self.context.__aenter__())

    def _close(self) -> None:
        self.run(self.context.__aexit__(None, None, None))
        self.storage = None

    def teardown(self) -> None:
        if getattr(self, "storage", None) is not None:
            self._close()
            self.runner.close()
            shutil.rmtree(self.folder)

    def _spent(self, user_id: int | None = None) -> int:
        return sum(
            job.counts
            for job in self.believed.values()
            if user_id in (None, job.user_id) and job.at + PERIOD.rolling_s > self.clock.now
        )

    @rule(
        target=jobs,
        asks=st.lists(
            st.tuples(st.sampled_from(USERS), st.sampled_from([0, 700, 2000, 5000])),
            min_size=1,
            max_size=5,
        ),
    )
    def submit_at_once(self, asks: list[tuple[int, int]]) -> Any:
        """Several in one breath: each is judged as if it were alone, in some order."""
        before = {user: self._spent(user) for user in USERS}
        of_all = self._spent()

        async def submit() -> list[Any]:
            return await asyncio.gather(
                *(self.here.jobs.accept(ask(user, cost=cost)) for user, cost in asks),
                return_exceptions=True,
            )

        accepted: list[int] = []
        for (user, cost), outcome in zip(asks, self.run(submit()), strict=True):
            if isinstance(outcome, QuotaRefusedError):
                reason = outcome.refused.reason
                # Refused only for want of room, counting all that may have passed before it.
                assert reason in (Reason.QUOTA, Reason.BUDGET)
                if reason is Reason.QUOTA:
                    others = sum(each for name, each in asks if name == user)
                    paid = self.granted[user]
                    assert before[user] + others > ALLOWANCE or paid > 0 or cost > ALLOWANCE
                else:
                    assert of_all + sum(each for _, each in asks) > BUDGET
            else:
                assert not isinstance(outcome, BaseException), outcome
                self.believed[outcome.id] = Believed(user, cost, self.clock.now)
                accepted.append(outcome.id)
        for user in USERS:
            assert self._spent(user) <= ALLOWANCE + self.granted[user]
        assert self._spent() <= max(BUDGET, of_all)
        return multiple(*accepted)

    @rule(job_id=jobs, steps=st.lists(st.sampled_from(sorted(LEGAL)), min_size=1, max_size=3))
    def step_at_once(self, job_id: int, steps: list[str]) -> None:
        """Steps that meet: as if one came after the other, in the order in which they came."""
        job = self.believed.get(job_id)
        if job is None:
            return

        async def step(name: str) -> None:
            match name:
                case "store":
                    await self.here.jobs.store(job_id, [painted(b"picture %d" % job_id)])
                case "fail":
                    await self.here.jobs.fail(job_id, "It failed.")
                case _:
                    await getattr(self.here.jobs, name)(job_id)

        async def all_steps() -> list[Any]:
            return await asyncio.gather(*map(step, steps), return_exceptions=True)

        outcomes = self.run(all_steps())
        done = [
            name
            for name, outcome in zip(steps, outcomes, strict=True)
            if not isinstance(outcome, IllegalTransitionError)
        ]
        assert all(each is None or isinstance(each, IllegalTransitionError) for each in outcomes)
        # "store" first writes its file, so others may overtake it; any order must explain it all.
        status = self.run(self.here.jobs.get(job_id)).status
        assert status in _reachable(job.status, steps), (job.status, steps, status)
        ends = [name for name in done if name in ("store", "fail", "cancel")]
        assert len(ends) <= 1
        if ends:
            assert status is LEADS_TO[ends[0]]
            job.settled = job.cost if ends[0] == "store" else 0
        job.status = status

    @rule(job_id=jobs, share=st.sampled_from([0, 1, 2]))
    def cancel_for_a_part(self, job_id: int, share: int) -> None:
        job = self.believed.get(job_id)
        if job is None:
            return
        settle = job.cost * share // 2
        try:
            self.run(self.here.jobs.cancel(job_id, settle=settle))
        except IllegalTransitionError:
            assert job.status not in LEGAL["cancel"]
        else:
            assert job.status in LEGAL["cancel"]
            job.status, job.settled = JobStatus.CANCELLED, settle

    @rule(job_id=jobs)
    def tell(self, job_id: int) -> None:
        job = self.believed.get(job_id)
        if job is None:
            return
        try:
            self.run(self.here.jobs.told(job_id))
        except IllegalTransitionError:
            assert job.status in (JobStatus.QUEUED, JobStatus.RUNNING)
        else:
            job.told = True
            if job.status is JobStatus.STORED:
                job.status = JobStatus.DELIVERED

    @rule()
    def crash_and_recover(self) -> None:
        """What a killed process leaves is what is in the files; `test_killing` does it for real."""
        self._close()
        self._open()
        recovered = self.run(self.here.jobs.recover())
        for job in self.believed.values():
            if job.status is JobStatus.RUNNING:
                job.status = JobStatus.QUEUED
        waiting = [key for key, job in self.believed.items() if job.status is JobStatus.QUEUED]
        assert [job.id for job in recovered] == sorted(waiting)

    @rule(seconds=st.sampled_from([-50.0, 1.0, 300.0, 2000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(user=st.sampled_from(USERS), amount=st.sampled_from([500, 3000]), lives=st.booleans())
    def grant(self, user: int, amount: int, lives: bool) -> None:
        expires_at = None if lives else self.clock.now + 200
        self.run(self.here.rules.grant(GUILD, user, amount, by=ADMIN, expires_at=expires_at))
        self.granted[user] += amount

    @rule(job_id=jobs)
    def forget_its_owner(self, job_id: int) -> None:
        if job_id not in self.believed:
            return
        user = self.believed[job_id].user_id
        self.run(self.here.forget_user(user))
        for key in [key for key, job in self.believed.items() if job.user_id == user]:
            job = self.believed.pop(key)
            # Its credits still count, or forgetting would refill the quota.
            if job.counts and job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
                self.believed[-abs(key)] = job
            with pytest.raises(NoSuchJobError):
                self.run(self.here.jobs.get(key))

    @invariant()
    def all_adds_up(self) -> None:
        if getattr(self, "storage", None) is None:
            return
        findings = self.run(self.here.check())
        assert not findings.damage
        assert not findings.unbalanced_jobs
        assert not findings.overdrawn_grants
        assert not findings.num_wrong_tallies
        assert not findings.missing_files
        for user in USERS:
            mine = [job for job in self.believed.values() if job.user_id == user]
            balance = self.run(self.here.ledger.balance(GUILD, user))
            assert balance.used == sum(job.counts for job in mine)
            assert min(balance.held, balance.settled, balance.released) >= 0
        for key, job in self.believed.items():
            if key > 0:
                stored = self.run(self.here.jobs.get(key))
                assert stored.status is job.status
                assert (stored.told_at is not None) == job.told
                kinds = [line.kind for line in self.run(self.here.ledger.of_job(key))]
                is_open = job.status in (JobStatus.QUEUED, JobStatus.RUNNING)
                assert kinds.count(EntryKind.HOLD) == 1
                assert (len(kinds) == 1) == is_open


def _rolling(amount: int) -> Allowance:
    return Allowance(amount, PERIOD)


def _reachable(status: JobStatus, steps: list[str]) -> set[JobStatus]:
    """Where the steps may lead, each taken once, in any order, the illegal ones without effect."""
    if not steps:
        return {status}
    found: set[JobStatus] = set()
    for number, name in enumerate(steps):
        following = LEADS_TO[name] if status in LEGAL[name] else status
        found |= _reachable(following, steps[:number] + steps[number + 1 :])
    return found


Life.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    # Shrinking opens hundreds of databases; the steps that failed are told without it.
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLife = Life.TestCase


class LongLife(Life):
    """The same machine, where nobody waits for it."""


LongLife.TestCase.settings = settings(
    Life.TestCase.settings, max_examples=400, stateful_step_count=50
)
TestLongLife = pytest.mark.long(LongLife.TestCase)
