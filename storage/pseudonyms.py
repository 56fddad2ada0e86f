"""Turns a forgotten user's id into a number that only this database's secret leads to.

What is kept under it, and for how long, is `privacy.py`'s.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Forgetting keeps what a user spent under such a number, or it would refill their quota."""

    secret: bytes = field(repr=False)

    def of(self, user_id: int) -> int:
        """Below -1, so that it is neither an id nor `ledger.EVERYBODY`."""
        digest = hmac.digest(self.secret, str(user_id).encode(), "sha256")
        return -2 - (int.from_bytes(digest[:8], "big") >> 2)

    def names(self, user_id: int) -> dict[str, int]:
        """The two parameters under which statements look for a user."""
        return {"user_id": user_id, "pseudonym": self.of(user_id)}
