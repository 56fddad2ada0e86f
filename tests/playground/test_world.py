from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord.ext import commands
from simcord.actors import MemberActor
from simcord.env import Env

from limner.bot.errors import StartError
from limner.playground.demo import Playground
from limner.playground.world import FILE_LIMIT_BYTES, Room, furnish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .easel import EaselBot


def empty() -> Env:
    return Env(commands.Bot(command_prefix="!", intents=discord.Intents.none()))


async def painted(playground: Playground, room: Room) -> str:
    """Waits until a message of the channel is a finished picture."""
    finished: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def listen(event: str, payload: Mapping[str, Any]) -> None:
        if "painted" in (text := str(payload.get("components"))) and not finished.done():
            finished.set_result(text)

    playground.env.backend.subscribers.append(listen)
    for message in playground.env.backend.messages[room.channel.id].values():
        listen("", {"components": message.components})
    return await asyncio.wait_for(finished, 60)


async def test_people_and_channels_keep_their_ids_and_messages_never_share_one() -> None:
    fixed: list[tuple[int, ...]] = []
    messages: list[int] = []
    for run in range(2):
        env = empty()
        rooms = furnish(env)
        env.backend.advance_clock(60 * run)
        ids = [env.backend.application_id, env.backend.bot_user.id]
        ids += [id_ for room in rooms for id_ in (room.channel.id, *(v.id for v in room.viewers))]
        fixed.append(tuple(ids))
        channel_id = rooms[0].channel.id
        messages += [env.backend.create_message(channel_id, ids[1], "x").id for _ in range(50)]
    assert fixed[0] == fixed[1]
    assert len(set(messages)) == 100
    assert messages == sorted(messages)
    assert min(messages) > max(fixed[0])


async def test_messages_carry_the_time_of_the_day() -> None:
    env = empty()
    furnish(env)
    age = discord.utils.utcnow() - discord.utils.snowflake_time(env.backend.snowflake())
    assert abs(age.total_seconds()) < 5


async def test_there_is_an_administrator_a_moderator_and_a_member() -> None:
    env = empty()
    painting, after_dark, direct = furnish(env)
    rights = {
        viewer.name: discord.Permissions(
            env.backend.compute_permissions(painting.channel.guild.id, viewer.id)
        )
        for viewer in painting.viewers
    }
    assert rights["admin"].administrator
    assert rights["moderator"].manage_messages
    assert not rights["moderator"].administrator
    assert not rights["member"].manage_messages
    assert after_dark.viewers == painting.viewers
    assert [viewer.name for viewer in direct.viewers] == ["member"]


async def test_the_bot_learns_what_simcord_does_not_tell(playground: Playground) -> None:
    answers: list[str] = []
    for is_restarted in (False, True):
        if is_restarted:
            await playground.restart()
        for room in playground.rooms:
            viewer = room.viewers[0]
            if isinstance(viewer, MemberActor):
                result = await viewer.slash(room.channel, "where")
            else:
                result = await viewer.slash("where")
            answers.append(result.response.content)
    rest = f"limit={FILE_LIMIT_BYTES} can_post=True is_ours="
    in_server = [f"restricted={it} {rest}True" for it in (False, True)]
    assert answers == [*in_server, f"restricted=False {rest}False"] * 2


async def test_what_the_worker_tells_stays_in_the_simulation(
    playground: Playground, bots: list[EaselBot]
) -> None:
    room = playground.rooms[0]
    member = room.viewers[0]
    assert isinstance(member, MemberActor)
    bots[0].go_on.set()
    await member.slash(room.channel, "imagine", prompt="a red heart")
    assert "a red heart" in await painted(playground, room)


async def test_a_button_of_before_a_restart_is_answered_by_the_new_bot(
    playground: Playground, bots: list[EaselBot]
) -> None:
    room = playground.rooms[0]
    member = room.viewers[0]
    assert isinstance(member, MemberActor)
    bots[0].go_on.set()
    await member.slash(room.channel, "imagine", prompt="x")
    await painted(playground, room)
    await playground.restart()
    assert bots[0].is_closed()
    message = room.channel.last_message
    assert message is not None
    result = await member.click(message, custom_id="again")
    assert result.followups
    assert len(bots) == 2


async def test_a_bot_that_cannot_start_says_why_in_one_sentence() -> None:
    class Broken(commands.Bot):
        async def setup_hook(self) -> None:
            error = StartError("The data folder is in use by another bot.")
            raise commands.ExtensionFailed("limner.bot", error)

    playground = Playground(lambda: Broken("!", intents=discord.Intents.none()))
    with pytest.raises(StartError, match="in use by another bot"):
        async with playground:
            pass
