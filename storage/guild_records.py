"""The values of what a server's owner sets, and of the log of who set it.

Keeping them is `guilds.py`'s and `moderation.py`'s; what a permission means, `may_paint` says here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .errors import InvalidSettingError
from .windows import zone_named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class NsfwPolicy(StrEnum):
    """What happens to a picture that the safety checker finds unsafe."""

    REFUSE = "refuse"
    SPOILER = "spoiler"
    AGE_RESTRICTED = "age_restricted"
    """Shown, but only in channels that Discord marks so."""


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """One server's settings; as it is made here where nothing was set."""

    time_zone: str = "UTC"
    """An IANA name: the server's days begin at its midnight."""
    is_paused: bool = False
    pause_message: str = ""
    nsfw_policy: NsfwPolicy = NsfwPolicy.REFUSE
    settles_cancelled: bool = False
    """Whether a job that is cancelled after it began costs what was used."""
    settles_blocked: bool = False
    """Whether a picture that the safety checker blocks costs its credits."""
    pictures_days: float | None = None
    """Pictures older than this go; None: the bot's own rule alone."""
    blocks_shipped_words: bool = True
    """Whether the list of words that Limner brings is refused, beside the server's own."""

    def __post_init__(self) -> None:
        zone_named(self.time_zone)
        if self.pictures_days is not None and self.pictures_days <= 0:
            raise InvalidSettingError("Pictures must be kept for more than 0 days.")


class Subject(StrEnum):
    """What a permission is about."""

    CHANNEL = "channel"
    ROLE = "role"


@dataclass(frozen=True, slots=True)
class Permission:
    """A channel or role in which, or by which, may be painted or not."""

    subject: Subject
    subject_id: int
    is_allowed: bool
    model: str = ""
    """Empty: painting at all."""


@dataclass(frozen=True, slots=True)
class Ban:
    user_id: int
    """Below 0: somebody who had their data deleted; the ban outlives that."""
    reason: str
    by_user_id: int
    at: float
    until: float | None


@dataclass(frozen=True, slots=True)
class BlockEntry:
    id: int
    pattern: str
    is_regex: bool
    by_user_id: int
    at: float


@dataclass(frozen=True, slots=True)
class BlockedPicture:
    """A picture that a checker blocked: its hash, for the picture is not kept."""

    id: int
    user_id: int
    job_id: int
    sha256: str
    checker: str
    verdict: str
    at: float


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what and when; before and after as JSON, empty where there was nothing."""

    id: int
    at: float
    actor_id: int
    action: str
    subject: str
    subject_id: int
    before_json: str
    after_json: str
    reason: str


def may_paint(
    permissions: Iterable[Permission],
    *,
    channel_ids: Collection[int],
    role_ids: Collection[int],
    model: str,
) -> bool:
    """Whether one may paint there with that model; `channel_ids` also holds parent and category.

    What says nothing of the model counts too. For channels and for roles alike: whoever is named
    as denied may not; and if anything is allowed by name, only what is allowed may.
    """
    relevant = [each for each in permissions if each.model in ("", model)]
    for subject, ids in ((Subject.CHANNEL, channel_ids), (Subject.ROLE, role_ids)):
        for scope in {"", model}:
            said = [each for each in relevant if each.subject is subject and each.model == scope]
            named = [each.is_allowed for each in said if each.subject_id in ids]
            if False in named or (any(each.is_allowed for each in said) and not named):
                return False
    return True
