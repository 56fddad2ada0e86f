"""A job as the serving room sees it: what to paint, for whom, at what cost. Jobs are storage's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..pictures import Picture
    from ..request import Request


@dataclass(frozen=True, slots=True)
class Ticket:
    """A job's requests: one picture each, all of one model. They share a worker and an end."""

    key: str
    """The caller's own name for the job; unique among those that have not ended."""
    requests: tuple[Request, ...]
    tenant: str
    """Who pays, for fairness: an opaque name."""
    group: str
    """Where it was asked, for limits: an opaque name."""
    cost: float
    """Credits, for all its pictures."""
    wants_previews: bool = False
    ground: Picture | None = None
    """The picture that it starts from, small: judged before anything is painted. Where unsafe ones
    may be shown, its verdict counts for all that is painted. None: there is none to judge."""
    shows_unsafe: bool = False
    """Whether what the safety checker finds unsafe may be shown where this was asked."""

    @property
    def model(self) -> str:
        """The configured name; empty: the default model."""
        return self.requests[0].model if self.requests else ""
