"""Discord's rate limits: buckets per route and place, the global one, and their headers.

The figures are like Discord's, which publishes none: what a client must read is the headers.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clock import Clock


@dataclass(frozen=True, slots=True)
class Limit:
    num_requests: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429: how long to wait, and whose limit it was (`user`, `global` or `shared`)."""

    retry_after_s: float
    scope: str

    @property
    def headers(self) -> dict[str, str]:
        headers = {
            "Retry-After": str(math.ceil(self.retry_after_s)),
            "X-RateLimit-Scope": self.scope,
            # discord.py takes a 429 without it for a ban by the proxy before Discord.
            "Via": "1.1 google",
        }
        if self.scope == "global":
            headers["X-RateLimit-Global"] = "true"
        return headers

    @property
    def body(self) -> dict[str, object]:
        return {
            "message": "You are being rate limited.",
            "retry_after": self.retry_after_s,
            "global": self.scope == "global",
            "code": 0,
        }


_MESSAGES = "/channels/{channel_id}/messages"
_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
_DEFAULT = Limit(50, 1.0)
_LIMITS = {
    ("POST", _MESSAGES): Limit(5, 5.0),
    ("PATCH", _MESSAGES + "/{message_id}"): Limit(5, 5.0),
    ("DELETE", _MESSAGES + "/{message_id}"): Limit(5, 1.0),
    ("PUT", _MESSAGES + "/{message_id}/reactions/{emoji_name}/@me"): Limit(1, 0.25),
    ("POST", "/users/@me/channels"): Limit(10, 10.0),
    ("POST", _WEBHOOK): Limit(5, 2.0),
    ("PATCH", _WEBHOOK + "/messages/@original"): Limit(5, 2.0),
    ("PATCH", _WEBHOOK + "/messages/{message_id}"): Limit(5, 2.0),
}
GLOBAL_LIMIT = Limit(50, 1.0)


@dataclass(slots=True)
class _Window:
    resets_at: float
    num_used: int = 0


@dataclass(slots=True)
class RateLimits:
    """Counts requests against limits. A test may set `enforced` to False, or change a limit."""

    clock: Clock
    enforced: bool = True
    limits: dict[tuple[str, str], Limit] = field(default_factory=lambda: dict(_LIMITS))
    blocked_until: dict[str, float] = field(default_factory=dict[str, float])
    num_refused: int = 0
    _windows: dict[str, _Window] = field(default_factory=dict[str, _Window])

    def take(
        self, method: str, template: str, place: str, *, is_interaction: bool
    ) -> tuple[Refusal | None, dict[str, str]]:
        """Counts one request; what to answer if it is one too many, and the headers in any case.

        Interaction callbacks and follow-ups are exempt from the global limit, callbacks from all.
        """
        if not self.enforced or template.startswith("/interactions/"):
            return None, {}
        if not is_interaction and template != "/gateway/bot":
            spent, window = self._spend("global", GLOBAL_LIMIT)
            if spent:
                self.num_refused += 1
                return Refusal(self._wait(window), "global"), {}
        limit = self.limits.get((method, template), _DEFAULT)
        bucket = hashlib.md5(f"{method} {template}".encode(), usedforsecurity=False).hexdigest()
        spent, window = self._spend(f"{bucket}:{place}", limit)
        headers = {
            "X-RateLimit-Limit": str(limit.num_requests),
            "X-RateLimit-Remaining": str(max(0, limit.num_requests - window.num_used)),
            "X-RateLimit-Reset": f"{window.resets_at:.3f}",
            "X-RateLimit-Reset-After": f"{self._wait(window):.3f}",
            "X-RateLimit-Bucket": bucket,
        }
        if not spent:
            return None, headers
        self.num_refused += 1
        return Refusal(self._wait(window), "user"), headers

    def _spend(self, key: str, limit: Limit) -> tuple[bool, _Window]:
        now = self.clock.now()
        window = self._windows.get(key)
        if window is None or window.resets_at <= now:
            window = self._windows[key] = _Window(now + limit.per_s)
        if window.num_used >= limit.num_requests:
            return True, window
        window.num_used += 1
        return False, window

    def _wait(self, window: _Window) -> float:
        return round(max(0.001, window.resets_at - self.clock.now()), 3)
