"""Why a quota refuses, in one sentence: the cost, what is left, when there is more. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..storage.quotas import Reason
from .pricing import credits_text

if TYPE_CHECKING:
    from ..storage.quotas import Refused


def sentence(refused: Refused) -> str:
    """Discord shows the moment itself in the reader's own time zone."""
    match refused.reason:
        case Reason.TOO_MANY_PIXELS:
            text = "That picture is larger than you may paint here"
            if refused.cap is not None:
                text += f" (up to {int(refused.cap**0.5)} x {int(refused.cap**0.5)} pixels)"
        case Reason.TOO_MANY_PICTURES:
            text = f"You may ask for {refused.cap} pictures at once here"
        case Reason.TOO_MANY_UNFINISHED:
            text = f"You have {refused.cap} jobs under way already: wait for one, or cancel it"
        case Reason.QUOTA | Reason.BUDGET:
            whose = "you have" if refused.reason is Reason.QUOTA else "this server has"
            left = credits_text(max(0, refused.left or 0))
            text = f"That costs {credits_text(refused.cost)} and {whose} {left} left"
    if refused.again_at is not None:
        return f"{text}; try again <t:{int(refused.again_at)}:R>."
    return f"{text}."
