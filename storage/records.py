"""The values of jobs and pictures that storage keeps and gives back.

Their `repr` shows no prompt and no token. Who may change them is `jobs.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class JobStatus(StrEnum):
    """accepted -> queued -> running -> stored -> delivered, or failed, or cancelled."""

    QUEUED = "queued"
    RUNNING = "running"
    STORED = "stored"
    """Painted and saved, its owner not yet told."""
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked, and where the answer belongs. Discord's ids; 0 where there is none."""

    user_id: int
    guild_id: int = 0
    channel_id: int = 0
    application_id: int = 0
    interaction_id: int = 0
    interaction_token: str = field(default="", repr=False)
    interaction_at: float = 0.0
    """Unix seconds of the interaction; its token lives 15 minutes."""
    message_id: int = 0
    is_private: bool = False
    is_user_install: bool = False
    is_age_restricted: bool = False
    """Asked in a channel that Discord marks so: its pictures stay in such channels."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is accepted; from here on it ends done, failed or cancelled."""

    origin: Origin
    kind: str
    """imagine, variation, inpaint, ..."""
    request_json: str = field(repr=False)
    """The whole ask, defaults filled in, pictures by their hashes."""
    prompt: str = field(repr=False)
    num_pictures: int
    seed: int
    """Picture i has seed + i."""
    model: str
    model_fingerprint: str
    cost: int
    """Milli-credits, held until it ends."""
    num_pixels: int = 0
    """Of one picture; a quota may cap it."""
    parent_picture_id: int | None = None
    input_hashes: tuple[str, ...] = ()
    """Stored pictures that the job needs: to vary, the mask. Kept as long as its own."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands in the database."""

    id: int
    new: NewJob
    status: JobStatus
    attempts: int
    num_told_attempts: int
    """Deliveries tried."""
    error: str
    """As the user saw it; empty where there was none."""
    accepted_at: float
    started_at: float | None
    stored_at: float | None
    ended_at: float | None
    told_at: float | None
    """When its owner was told the end: the picture, the failure, or the cancelling."""
    delivery_error: str = ""
    """Why the last attempt to tell its owner failed."""
    gave_up_at: float | None = None
    """When telling was given up for good; the history still shows the pictures."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored picture: a row here, a file named by its content's SHA-256."""

    id: int
    job_id: int
    index: int
    sha256: str
    seed: int
    width: int
    height: int
    num_bytes: int
    parameters_json: str = field(repr=False)
    created_at: float
    is_favourite: bool = False
    is_deleted: bool = False
    is_unsafe: bool = False
    """A safety checker found it so, and where it was asked it may be shown."""


@dataclass(frozen=True, slots=True)
class NewPicture:
    """What a painted picture brings to storage."""

    index: int
    png: bytes = field(repr=False)
    seed: int
    width: int
    height: int
    parameters_json: str = field(repr=False)
    is_unsafe: bool = False


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A picture that a safety checker blocked: what is kept is its hash."""

    sha256: str
    checker: str
    verdict: str
