"""What the journeys of admins share: a bot as it is loaded, its admin, and what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limner.bot.cogs.admin import Admin
from limner.bot.cogs.inpaint import Inpaint
from limner.bot.cogs.quota import Quota
from limner.bot.cogs.variation import Variation

from .conftest import StudioBot

if TYPE_CHECKING:
    from tests.wire.entities import Message, User
    from tests.wire.replies import Reply

    from .conftest import Place


class AdminBot(StudioBot):
    """With the commands about pictures, and /limner admin under the group of /limner queue."""

    async def setup_hook(self) -> None:
        for cog in (Variation, Inpaint):
            await self.add_cog(cog(self, self._studio, self.delivery))
        await super().setup_hook()
        for cog in (Quota, Admin):
            await self.add_cog(cog(self, self._studio, self.delivery))
        await self.tree.sync()


def boss_of(place: Place) -> User:
    return place.guild.member("boss", "manage_guild")


async def admin(place: Place, who: User, command: str, **options: object) -> Reply:
    return await place.wire.slash(who, place.channel, f"limner admin {command}", **options)  # type: ignore[arg-type]


async def told(reply: Reply) -> Message:
    """The one private answer, be it the original or a follow-up of a placeholder."""

    def found() -> Message | None:
        asked = reply.interaction
        answers = [m for m in (*asked.followups, asked.original) if m and m is not asked.source]
        return next((m for m in answers if not m.is_deleted and not m.is_loading), None)

    message = await reply.world.changes.until(found, "an answer", 60)
    assert message.is_ephemeral
    assert message.is_v2
    assert not message.pinged_user_ids
    return message


async def said(place: Place, who: User, command: str, **options: object) -> str:
    return (await told(await admin(place, who, command, **options))).text
