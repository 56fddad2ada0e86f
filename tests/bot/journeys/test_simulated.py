"""The same journeys in simcord, which the demo runs in: a picture comes with the command itself."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import simcord
from PIL import Image

from .cards import PATIENCE_S
from .conftest import StudioBot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from limner.bot.studio import Studio

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def env(studio: Studio) -> AsyncIterator[simcord.Env]:
    env = simcord.Env(StudioBot(studio), settle_timeout=PATIENCE_S)
    await env.start()
    yield env
    await env.shutdown()
    env.raise_errors()


def texts(components: list[dict[str, Any]]) -> str:
    found = [
        c["content"] for c in simcord.components.walk_components(components) if c["type"] == 10
    ]
    return "\n".join(found)


def gallery(components: list[dict[str, Any]]) -> list[str]:
    return [
        item["media"]["url"]
        for c in simcord.components.walk_components(components)
        if c["type"] == 12
        for item in c["items"]
    ]


async def test_a_command_paints_and_its_button_paints_again_after_a_restart(
    env: simcord.Env, studio: Studio
) -> None:
    channel = env.create_guild().create_text_channel("paintings")
    alice = env.guild.add_member(env.create_user("alice"))
    result = await alice.slash(channel, "imagine", prompt="a red heart", seed=7)
    assert result.acknowledged
    assert result.response is not None
    assert "**a red heart**" in texts(result.response.components)
    assert len(gallery(result.response.components)) == 1

    await env.restart_bot(StudioBot(studio))
    again = await alice.click(result.response.message, label="Paint again")
    assert again.response is not None
    assert len(gallery(again.response.components)) == 1


async def test_a_picture_can_be_painted_over_in_a_direct_message(env: simcord.Env) -> None:
    file = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(file, "PNG")
    alice = env.create_user("alice")
    env.create_guild().add_member(alice)
    result = await alice.slash("imagine", prompt="a heart", image=("me.png", file.getvalue()))
    assert result.response is not None
    assert "Over a picture" in texts(result.response.components)


async def test_a_pictures_menu_answers_and_leaves_the_card_as_it_was(env: simcord.Env) -> None:
    channel = env.create_guild().create_text_channel("paintings")
    alice = env.guild.add_member(env.create_user("alice"))
    result = await alice.slash(channel, "imagine", prompt="a red heart", seed=7)
    assert result.response is not None
    card = result.response
    menus = [c for c in simcord.components.walk_components(card.components) if c["type"] == 3]
    for _ in range(2):
        chosen = await alice.select(card.message, ["again"], custom_id=menus[0]["custom_id"])
        (again,) = chosen.followups
        assert "Seed 7" in texts(again.components)
        assert len(gallery(again.components)) == 1
    assert len(gallery(card.components)) == 1
    told = await alice.select(card.message, ["parameters"], custom_id=menus[0]["custom_id"])
    (words,) = told.followups
    assert "seed: 7" in texts(words.components)


async def test_a_refusal_is_private(env: simcord.Env) -> None:
    channel = env.create_guild().create_text_channel("paintings")
    alice = env.guild.add_member(env.create_user("alice"))
    result = await alice.slash(channel, "imagine", prompt="a --sed 7")
    assert result.ephemeral
    assert result.response is not None
    assert "did you mean --seed?" in texts(result.response.components)
    assert channel.history(viewer=alice) == [] or all(
        message.flags.ephemeral for message in channel.history(viewer=alice)
    )
