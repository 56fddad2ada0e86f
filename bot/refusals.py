"""Why a quota refuses, in one sentence: the cost and what is left. Pure.

When there is more goes beside it, as `RefusedError.again_at`, and is told by `notes`.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from ..storage.quotas import Reason
from .pricing import credits_text, left_text

if TYPE_CHECKING:
    from ..storage.quotas import Refused


def sentence(refused: Refused) -> str:
    """What somebody may do about it, where there is something."""
    cap = refused.cap or 0
    match refused.reason:
        case Reason.TOO_MANY_PIXELS:
            return (
                "That picture is larger than you may paint here: up to"
                f" {isqrt(cap)} × {isqrt(cap)} pixels, or that area in another shape."
            )
        case Reason.TOO_MANY_PICTURES:
            pictures = "1 picture" if cap == 1 else f"{cap} pictures"
            return f"You may ask for {pictures} at once here."
        case Reason.TOO_MANY_UNFINISHED:
            return _unfinished(cap)
        case Reason.QUOTA:
            if not refused.left and refused.again_at is None:
                return (
                    "You have no credits here: somebody who manages this server can give you some."
                )
            return _short(refused, "you have", "gives you")
        case Reason.BUDGET:
            if not refused.left and refused.again_at is None:
                return "This server has no credits: somebody who manages it can change its budget."
            return _short(refused, "this server has", "gives it")


def _unfinished(cap: int) -> str:
    if cap == 0:
        return "You may not paint here: somebody who manages this server can change that."
    if cap == 1:
        return "You have 1 job under way already, as many as you may: wait for it, or cancel it."
    return (
        f"You have {cap} jobs under way already, as many as you may: wait for one, or cancel one."
    )


def _short(refused: Refused, whose: str, gives: str) -> str:
    left = left_text(max(0, refused.left or 0))
    said = f"That costs {credits_text(refused.cost)} and {whose} {left} left"
    if refused.again_at is not None:
        return f"{said}."
    return f"{said}, and waiting {gives} no more: ask for fewer or smaller pictures."
