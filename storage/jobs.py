"""The life of a job: accepted, queued, running, stored, delivered; or failed, or cancelled.

Every step is a compare-and-set in one transaction with its ledger lines. When to take a step is
the bot's business; what a step costs is `ledger.py`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from . import ledger
from .blocks import insert_blocks
from .errors import IllegalTransitionError, NoSuchJobError
from .images import insert_pictures, is_needed
from .ledger import LAST_ID
from .queries import load
from .quotas import Ask
from .records import Job, JobStatus, NewBlock, NewJob, NewPicture, Origin, Picture

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Mapping, Sequence

    from .database import Database, Transaction
    from .images import PictureFiles
    from .quota_store import Quotas

_SQL = load("jobs")


class Jobs:
    """Each method that moves a job raises `NoSuchJobError`, or `IllegalTransitionError` if
    somebody else moved it first; then nothing was changed."""

    def __init__(
        self,
        database: Database,
        files: PictureFiles,
        quotas: Quotas,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._files = files
        self._quotas = quotas
        self._clock = clock

    async def accept(self, new: NewJob, *, role_ids: Collection[int] = ()) -> Job:
        """Checks the quota on fresh sums and writes job and hold, all in one transaction.

        `role_ids` are the member's roles, whose best rule counts. Raises `QuotaRefusedError`.
        """
        ask = Ask(new.cost, new.num_pictures, new.num_pixels)

        def body(transaction: Transaction) -> Job:
            # Read here, not before: two members' waits for the lock must not swap their times.
            now = self._clock()
            origin = new.origin
            allowed = self._quotas.allow(
                transaction, origin.guild_id, origin.user_id, ask, role_ids, now
            )
            rows = transaction.all(_SQL["insert_job"], _columns(new, now))
            job_id: int = rows[0]["id"]
            if new.input_hashes:
                transaction.run_many(
                    _SQL["insert_input"],
                    [
                        {"job_id": job_id, "position": position, "sha256": sha256}
                        for position, sha256 in enumerate(new.input_hashes)
                    ],
                )
            ledger.hold(transaction, job_id, new, allowed, now)
            return _read(transaction, job_id)

        return await self._database.transaction(body)

    async def start(self, job_id: int) -> None:
        """A worker takes it, or takes it again after the last one died; counts the attempt."""
        await self._move("start", job_id, JobStatus.RUNNING)

    async def recover(self) -> list[Job]:
        """At a start: what ran when the process died waits again. Returns all that wait."""

        def body(transaction: Transaction) -> None:
            transaction.run(_SQL["requeue_all"])

        await self._database.transaction(body)
        return await self.unfinished()

    async def store(
        self,
        job_id: int,
        pictures: Sequence[NewPicture],
        *,
        settle: int | None = None,
        blocks: Sequence[NewBlock] = (),
    ) -> list[Picture]:
        """Keeps a running job's pictures: files durable first, then rows, settling and status.

        `settle` is in milli-credits; None: the whole cost. `blocks` are pictures that are not kept.
        Raises the disk's errors, after which the job still runs.
        """
        hashes = [await asyncio.to_thread(self._files.put, new.png) for new in pictures]

        def body(transaction: Transaction) -> list[Picture]:
            now = self._clock()
            self._step(transaction, "store", job_id, JobStatus.STORED, {"now": now})
            ledger.end(transaction, job_id, settle, now)
            insert_blocks(transaction, job_id, _read(transaction, job_id).new.origin, blocks, now)
            return insert_pictures(
                transaction, job_id, list(zip(pictures, hashes, strict=True)), now
            )

        return await self._database.transaction(body)

    async def fail(
        self,
        job_id: int,
        error: str,
        *,
        settle: int = 0,
        blocks: Sequence[NewBlock] = (),
        drops_inputs: bool = False,
    ) -> None:
        """Ends it without a picture; `error` is the sentence that its owner sees.

        `drops_inputs`: what it was given is not kept for another try, as it was blocked.
        """
        await self._end(
            "fail", job_id, JobStatus.FAILED, settle, blocks, {"error": error}, drops_inputs
        )

    async def cancel(
        self, job_id: int, *, settle: int = 0, blocks: Sequence[NewBlock] = ()
    ) -> None:
        """Ends it on somebody's wish; `settle` is the part that stays spent, in milli-credits."""
        await self._end("cancel", job_id, JobStatus.CANCELLED, settle, blocks)

    async def told(
        self, job_id: int, *, message_id: int | None = None, channel_id: int | None = None
    ) -> None:
        """Its owner knows the end; a stored job is delivered. Telling again changes nothing."""

        def body(transaction: Transaction) -> None:
            parameters = {
                "job_id": job_id,
                "now": self._clock(),
                "message_id": message_id,
                "channel_id": channel_id,
            }
            if not transaction.run(_SQL["told"], parameters):
                job = _read(transaction, job_id)
                if job.told_at is None:
                    raise IllegalTransitionError(job_id, job.status, JobStatus.DELIVERED)

        await self._database.transaction(body)

    async def delivery_failed(self, job_id: int, reason: str, *, is_final: bool = False) -> None:
        """Counts a failed attempt to tell; when final, the job keeps the reason for good."""
        await self._move(
            "delivery_failed",
            job_id,
            JobStatus.DELIVERED,
            {"reason": reason, "is_final": int(is_final)},
        )

    async def get(self, job_id: int) -> Job:
        row = await self._database.one(_SQL["job"], {"job_id": job_id})
        if row is None:
            raise NoSuchJobError(job_id)
        return job_from(row)

    async def unfinished(self) -> list[Job]:
        """Those that wait or run, the oldest first."""
        return [job_from(row) for row in await self._database.all(_SQL["unfinished"])]

    async def untold(self) -> list[Job]:
        """Those that ended without their owner knowing, the oldest first."""
        return [job_from(row) for row in await self._database.all(_SQL["untold"])]

    async def by_user(
        self, user_id: int, guild_id: int, limit: int = 25, before_id: int = LAST_ID
    ) -> list[Job]:
        """One member's jobs in one server, the newest first."""
        parameters = {
            "user_id": user_id,
            "guild_id": guild_id,
            "limit": limit,
            "before_id": before_id,
        }
        return [job_from(row) for row in await self._database.all(_SQL["by_user"], parameters)]

    async def by_message(self, message_id: int) -> Job | None:
        """The job that a message shows."""
        row = await self._database.one(_SQL["by_message"], {"message_id": message_id})
        return None if row is None else job_from(row)

    async def counts(self) -> Mapping[JobStatus, int]:
        """How many jobs stand where."""
        rows = await self._database.all(_SQL["count_by_status"])
        counts = dict.fromkeys(JobStatus, 0)
        counts.update({JobStatus(row["status"]): row["num_jobs"] for row in rows})
        return counts

    async def _end(
        self,
        step: str,
        job_id: int,
        wanted: JobStatus,
        settle: int,
        blocks: Sequence[NewBlock],
        parameters: Mapping[str, object] | None = None,
        drops_inputs: bool = False,
    ) -> None:
        def body(transaction: Transaction) -> None:
            now = self._clock()
            self._step(transaction, step, job_id, wanted, {"now": now, **(parameters or {})})
            ledger.end(transaction, job_id, settle, now)
            insert_blocks(transaction, job_id, _read(transaction, job_id).new.origin, blocks, now)
            if drops_inputs:
                self._drop_inputs(transaction, job_id, now)

        await self._database.transaction(body)

    def _drop_inputs(self, transaction: Transaction, job_id: int, now: float) -> None:
        hashes = [row["sha256"] for row in transaction.all(_SQL["inputs_of"], {"job_id": job_id})]
        transaction.run(_SQL["drop_inputs"], {"job_id": job_id})
        for sha256 in hashes:
            # Inside the transaction, as in `Images.delete`.
            if not is_needed(transaction, sha256, now):
                self._files.remove(self._files.path(sha256), unless_since=float("inf"))

    async def _move(
        self,
        step: str,
        job_id: int,
        wanted: JobStatus,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        def body(transaction: Transaction) -> None:
            self._step(
                transaction, step, job_id, wanted, {"now": self._clock(), **(parameters or {})}
            )

        await self._database.transaction(body)

    def _step(
        self,
        transaction: Transaction,
        step: str,
        job_id: int,
        wanted: JobStatus,
        parameters: Mapping[str, object],
    ) -> None:
        """One compare-and-set: the statement names the states from which it may go."""
        if not transaction.run(_SQL[step], {"job_id": job_id, **parameters}):
            row = transaction.one(_SQL["status"], {"job_id": job_id})
            if row is None:
                raise NoSuchJobError(job_id)
            raise IllegalTransitionError(job_id, JobStatus(row["status"]), wanted)


def _read(transaction: Transaction, job_id: int) -> Job:
    row = transaction.one(_SQL["job"], {"job_id": job_id})
    if row is None:
        raise NoSuchJobError(job_id)
    return job_from(row)


def _columns(new: NewJob, now: float) -> dict[str, object]:
    origin = new.origin
    return {
        "kind": new.kind,
        "user_id": origin.user_id,
        "guild_id": origin.guild_id,
        "channel_id": origin.channel_id,
        "application_id": origin.application_id,
        "interaction_id": origin.interaction_id,
        "interaction_token": origin.interaction_token,
        "interaction_at": origin.interaction_at,
        "message_id": origin.message_id,
        "is_private": int(origin.is_private),
        "is_user_install": int(origin.is_user_install),
        "is_age_restricted": int(origin.is_age_restricted),
        "request_json": new.request_json,
        "prompt": new.prompt,
        "num_pictures": new.num_pictures,
        "num_pixels": new.num_pixels,
        "seed": str(new.seed),
        "model": new.model,
        "model_fingerprint": new.model_fingerprint,
        "cost": new.cost,
        "parent_picture_id": new.parent_picture_id,
        "now": now,
    }


def job_from(row: sqlite3.Row) -> Job:
    inputs: str | None = row["inputs"]
    origin = Origin(
        user_id=row["user_id"],
        guild_id=row["guild_id"],
        channel_id=row["channel_id"],
        application_id=row["application_id"],
        interaction_id=row["interaction_id"],
        interaction_token=row["interaction_token"],
        interaction_at=row["interaction_at"],
        message_id=row["message_id"],
        is_private=bool(row["is_private"]),
        is_user_install=bool(row["is_user_install"]),
        is_age_restricted=bool(row["is_age_restricted"]),
    )
    new = NewJob(
        origin=origin,
        kind=row["kind"],
        request_json=row["request_json"],
        prompt=row["prompt"],
        num_pictures=row["num_pictures"],
        seed=int(row["seed"]),
        model=row["model"],
        model_fingerprint=row["model_fingerprint"],
        cost=row["cost"],
        num_pixels=row["num_pixels"],
        parent_picture_id=row["parent_picture_id"],
        input_hashes=tuple(inputs.split(",")) if inputs else (),
    )
    return Job(
        id=row["id"],
        new=new,
        status=JobStatus(row["status"]),
        attempts=row["attempts"],
        num_told_attempts=row["num_told_attempts"],
        error=row["error"],
        accepted_at=row["accepted_at"],
        started_at=row["started_at"],
        stored_at=row["stored_at"],
        ended_at=row["ended_at"],
        told_at=row["told_at"],
        delivery_error=row["delivery_error"],
        gave_up_at=row["gave_up_at"],
    )
