"""Writes down what a safety checker blocked, in the transaction that ends the picture's job.

Reading it is `moderation.py`'s; what is blocked is the bot's to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .queries import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .database import Transaction
    from .records import NewBlock, Origin

_SQL = load("admin")


def insert_blocks(
    transaction: Transaction, job_id: int, origin: Origin, blocks: Iterable[NewBlock], now: float
) -> None:
    for block in blocks:
        parameters = {
            "guild_id": origin.guild_id,
            "user_id": origin.user_id,
            "job_id": job_id,
            "sha256": block.sha256,
            "checker": block.checker,
            "verdict": block.verdict,
            "now": now,
        }
        transaction.run(_SQL["insert_blocked"], parameters)
