"""Asks, pictures and a clock for the storage tests; the storage itself is always the real one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from limner.storage import JobStatus, NewJob, NewPicture, Origin, Storage

if TYPE_CHECKING:
    from limner.storage.records import Job

GUILD = 8
USER = 7
ADMIN = 99
DAY_S = 86400.0
NOON = 1_780_000_200.0
"""A moment inside an hour, a day and a month; what it is matters to no test."""


@dataclass
class Clock:
    """Stands still until it is moved, in either direction."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


def ask(
    user_id: int = USER,
    guild_id: int = GUILD,
    *,
    cost: int = 1000,
    inputs: tuple[str, ...] = (),
    num_pictures: int = 1,
    num_pixels: int = 0,
    parent: int | None = None,
    prompt: str = "a cat in the rain",
    seed: int = 41,
) -> NewJob:
    return NewJob(
        origin=Origin(user_id, guild_id, 5, 6, 7, "the-token", NOON),
        kind="imagine",
        request_json='{"prompt": "' + prompt + '"}',
        prompt=prompt,
        num_pictures=num_pictures,
        seed=seed,
        model="house",
        model_fingerprint="f",
        cost=cost,
        num_pixels=num_pixels,
        parent_picture_id=parent,
        input_hashes=inputs,
    )


def painted(content: bytes = b"a picture", *, index: int = 0, seed: int = 41) -> NewPicture:
    return NewPicture(index, content, seed + index, 64, 48, '{"steps": 20}')


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def bring_to(storage: Storage, status: JobStatus, new: NewJob | None = None) -> Job:
    """A job in the given state, by the shortest way."""
    job = await storage.jobs.accept(new or ask())
    match status:
        case JobStatus.QUEUED:
            pass
        case JobStatus.RUNNING:
            await storage.jobs.start(job.id)
        case JobStatus.STORED | JobStatus.DELIVERED:
            await storage.jobs.start(job.id)
            await storage.jobs.store(job.id, [painted(f"picture of {job.id}".encode())])
            if status is JobStatus.DELIVERED:
                await storage.jobs.told(job.id, message_id=1, channel_id=2)
        case JobStatus.FAILED:
            await storage.jobs.fail(job.id, "It failed.")
        case JobStatus.CANCELLED:
            await storage.jobs.cancel(job.id)
    return await storage.jobs.get(job.id)


def from_user(new: NewJob, user_id: int) -> NewJob:
    return replace(new, origin=replace(new.origin, user_id=user_id))
