"""A bot that makes one known mistake at a time: the stand-in has to see each, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import discord
import pytest

from .sample_bot import Mistake, SampleBot
from .server import Wire
from .specification import needed
from .violations import Kind

if TYPE_CHECKING:
    from .replies import Reply

SEEDED = [
    (Mistake.TWICE, Kind.DOUBLE_ACKNOWLEDGEMENT, 40060),
    (Mistake.HUGE, Kind.TOO_LARGE, 40005),
    (Mistake.WRONG_ID, Kind.ATTACHMENT, 50035),
    (Mistake.WRONG_NAME, Kind.ATTACHMENT, 50035),
    (Mistake.BESIDE_V2, Kind.COMPONENTS_V2, 50035),
    pytest.param(Mistake.UNKNOWN_KEY, Kind.UNKNOWN_KEY, 50035, marks=needed),
    pytest.param(Mistake.OPTIONS, Kind.BAD_BODY, 50035, marks=needed),
]


async def ask(wire: Wire, prompt: str = "x") -> Reply:
    guild = wire.world.guild()
    guild.member("zoe")
    return await wire.slash(guild.member("ann"), guild.channel(), "imagine", prompt=prompt)


@pytest.mark.parametrize(("mistake", "kind", "code"), SEEDED)
async def test_what_discord_refuses_is_refused_and_recorded(
    wire: Wire, mistake: Mistake, kind: Kind, code: int
) -> None:
    bot = SampleBot(mistake)
    async with wire.connect(bot):
        with wire.violations.expected(kind) as seen:
            await ask(wire)
            await wire.until(lambda: wire.violations.of(kind), str(mistake))
        assert len(seen) == 1
        async with asyncio.timeout(60):
            cause = (await bot.errors.get()).__cause__
    assert isinstance(cause, discord.HTTPException)
    assert cause.code == code


async def test_the_same_bot_without_a_mistake_is_clean(wire: Wire) -> None:
    async with wire.connect(SampleBot()):
        await (await ask(wire)).message()
    assert wire.violations.seen == []


async def test_a_late_acknowledgement(wire: Wire) -> None:
    bot = SampleBot(Mistake.LATE)
    async with wire.connect(bot):
        with wire.violations.expected(Kind.UNANSWERED, Kind.UNKNOWN_INTERACTION):
            await ask(wire)
            await bot.at_gate.wait()
            wire.clock.advance(3.1)
            bot.gate.set()
            await wire.until(lambda: wire.violations.of(Kind.UNKNOWN_INTERACTION), "10062")


async def test_an_acknowledgement_just_in_time(wire: Wire) -> None:
    bot = SampleBot(Mistake.LATE)
    wire.clock.freeze()
    async with wire.connect(bot):
        reply = await ask(wire)
        await bot.at_gate.wait()
        wire.clock.advance(2.9)
        bot.gate.set()
        await reply.message()


async def test_no_acknowledgement_at_all(wire: Wire) -> None:
    async with wire.connect(SampleBot(Mistake.NEVER)):
        with wire.violations.expected(Kind.UNANSWERED) as seen:
            await ask(wire)
            await wire.gateway.settled()
            wire.clock.advance(3.1)
        assert "ann's 'imagine'" in seen[0].where


async def test_an_unanswered_interaction_fails_the_test_that_ends_before_its_time() -> None:
    async def end_too_early() -> None:
        async with Wire() as wire, wire.connect(SampleBot(Mistake.NEVER)):
            await ask(wire)
            await wire.gateway.settled()

    with pytest.raises(AssertionError, match="unanswered"):
        await end_too_early()


@pytest.mark.parametrize("prompt", ["@everyone look", "<@{zoe}> look", "@here"])
async def test_a_ping_that_comes_from_somebodys_text(wire: Wire, prompt: str) -> None:
    guild = wire.world.guild()
    zoe, ann = guild.member("zoe"), guild.member("ann")
    text = prompt.format(zoe=zoe.id)
    async with wire.connect(SampleBot(Mistake.PING)):
        with wire.violations.expected(Kind.PING):
            reply = await wire.slash(ann, guild.channel(), "imagine", prompt=text)
            await reply.message()
    mentions = discord.AllowedMentions.none()
    async with wire.connect(SampleBot(Mistake.PING, allowed_mentions=mentions)):
        reply = await wire.slash(ann, guild.channel(), "imagine", prompt=text)
        assert (await reply.message()).text == text


async def test_a_button_that_a_restart_loses(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    async with wire.connect(SampleBot()):
        message = await (await wire.slash(ann, channel, "imagine", prompt="x")).message()
    async with wire.connect(SampleBot()):
        await (await wire.click(ann, message, "Again")).message()
    async with wire.connect(SampleBot(Mistake.LOST_BUTTON)):
        with wire.violations.expected(Kind.UNANSWERED):
            await wire.click(ann, message, "Again")
            await wire.gateway.settled()
            wire.clock.advance(3.1)


async def test_a_doubled_delivery(wire: Wire) -> None:
    async with wire.connect(SampleBot(Mistake.DOUBLED)):
        with wire.violations.expected(Kind.DOUBLED_DELIVERY):
            await (await ask(wire)).followup()


async def test_the_same_picture_asked_for_twice_is_no_double(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    async with wire.connect(SampleBot()):
        for _ in range(2):
            await (await wire.slash(ann, channel, "imagine", prompt="x")).message()
    assert len(channel.timeline) == 2


async def test_a_private_answer_that_everybody_would_see(wire: Wire) -> None:
    async with wire.connect(SampleBot(Mistake.LEAK)):
        with wire.violations.expected(Kind.PRIVACY):
            message = await (await ask(wire)).message()
    assert not message.is_ephemeral
