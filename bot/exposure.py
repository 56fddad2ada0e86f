"""Where a picture that the safety checker finds unsafe may be shown, and how. A server's owner
decides it for the server; everywhere else none is.

What was found is the worker's verdict; what becomes of the job is `endings`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..storage.guild_records import NsfwPolicy

if TYPE_CHECKING:
    from ..storage.records import Origin
    from ..storage.storage import Storage


async def shows_unsafe(storage: Storage, origin: Origin) -> bool:
    """Whether such pictures may be shown at all where this was asked."""
    match await _policy(storage, origin):
        case NsfwPolicy.REFUSE:
            return False
        case NsfwPolicy.SPOILER:
            return True
        case NsfwPolicy.AGE_RESTRICTED:
            return origin.is_age_restricted


async def are_veiled(storage: Storage, origin: Origin) -> bool:
    """Whether unsafe pictures are hidden there until somebody wants to see them."""
    policy = await _policy(storage, origin)
    return not (policy is NsfwPolicy.AGE_RESTRICTED and origin.is_age_restricted)


async def _policy(storage: Storage, origin: Origin) -> NsfwPolicy:
    if not origin.guild_id:
        return NsfwPolicy.REFUSE
    return (await storage.guilds.settings(origin.guild_id)).nsfw_policy
