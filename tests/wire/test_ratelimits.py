"""Rate limits: what the headers promise is kept, for each bucket and place of its own."""

from __future__ import annotations

import aiohttp
import discord

from .ratelimits import GLOBAL_LIMIT, Limit, RateLimits
from .sample_bot import SampleBot
from .server import Wire

POST = ("POST", "/channels/{channel_id}/messages")


async def test_discord_py_reads_the_headers_and_is_never_refused(wire: Wire) -> None:
    wire.limits.limits[POST] = Limit(3, 0.2)
    channel = wire.world.guild().channel()
    bot = SampleBot()
    async with wire.connect(bot):
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        for number in range(7):
            await place.send(str(number))
        sent_at = [message.made_at for message in channel.timeline]
    assert wire.limits.num_refused == 0
    assert sent_at[3] - sent_at[0] >= 0.2
    assert sent_at[6] - sent_at[3] >= 0.2


async def test_who_ignores_the_headers_gets_a_real_429(wire: Wire) -> None:
    wire.clock.freeze()
    channel = wire.world.guild().channel()
    url = f"{wire.base}/api/v10/channels/{channel.id}/messages"
    headers = {"Authorization": f"Bot {wire.world.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for number in range(5):
            async with http.post(url, json={"content": "x"}) as answer:
                assert answer.status == 200
                assert answer.headers["X-RateLimit-Remaining"] == str(4 - number)
                assert answer.headers["Content-Type"] == "application/json"
        async with http.post(url, json={"content": "x"}) as answer:
            body = await answer.json()
            assert answer.status == 429
            assert (body["retry_after"], body["global"]) == (5.0, False)
            assert answer.headers["Retry-After"] == "5"
            assert answer.headers["Via"]
            assert answer.headers["X-RateLimit-Scope"] == "user"
        wire.clock.advance(5.001)
        async with http.post(url, json={"content": "x"}) as answer:
            assert answer.status == 200
    assert wire.limits.num_refused == 1


def test_places_have_buckets_of_their_own_and_the_global_limit_is_common() -> None:
    clock = Wire().clock
    clock.freeze()
    limits = RateLimits(clock, limits={POST: Limit(1, 60.0)})
    assert limits.take(*POST, "one", is_interaction=False)[0] is None
    assert limits.take(*POST, "two", is_interaction=False)[0] is None
    refused, _ = limits.take(*POST, "one", is_interaction=False)
    assert refused is not None
    assert refused.scope == "user"
    for place in range(GLOBAL_LIMIT.num_requests - 3):
        assert limits.take(*POST, f"place {place}", is_interaction=False)[0] is None
    refused, _ = limits.take(*POST, "another", is_interaction=False)
    assert refused is not None
    assert refused.headers["X-RateLimit-Global"] == "true"
    # What answers an interaction is exempt from the common limit.
    assert limits.take(*POST, "another", is_interaction=True)[0] is None
    clock.advance(1.001)
    assert limits.take(*POST, "yet another", is_interaction=False)[0] is None
