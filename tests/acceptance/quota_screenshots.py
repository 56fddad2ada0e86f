"""Makes docs/quota-*.png from the real demo: `python -m tests.acceptance.quota_screenshots`.

A week of jobs is written into its database first, through storage as the bot writes it; what is
then shown of it is not retouched.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import discord
import simcord

from limner.playground.world import furnish
from limner.storage import Allowance, JobStatus, NewJob, Origin, Period, Rule, Storage, Window
from limner.storage.quota_rules import Scope
from tests.storage.makers import bring_to

from .browser import DESKTOP, PHONE, Chat, find_chromium, open_chat, running_demo

if TYPE_CHECKING:
    from playwright.async_api import Page

DOCS = Path(__file__).parent.parent.parent / "docs"
DAY_S = 86400.0


async def main() -> None:
    chromium = find_chromium()
    with TemporaryDirectory() as folder:
        await _fill(Path(folder) / "data")
        async with running_demo(Path(folder)) as demo:
            async with open_chat(demo.url, chromium, DESKTOP) as chat:
                await _show(chat)
            await demo.interrupt()


async def _fill(folder: Path) -> None:
    """A week in the demo's server: its three people, rules for two of them, a grant."""
    rooms = furnish(simcord.Env(discord.Client(intents=discord.Intents.none())))
    guild_id = rooms[0].channel.guild.id
    member, moderator, admin = (viewer.id for viewer in rooms[0].viewers)
    chance = random.Random(7)
    now = time.time()
    clock = [now]
    async with Storage.open(folder, clock=lambda: clock[0]) as storage:
        rules = storage.rules
        week = Rule(Allowance(40_000, Period(Window.WEEK)), max_unfinished=3)
        await rules.set(guild_id, Scope.DEFAULT, 0, week, by=admin)
        day = Rule(Allowance(12_000), max_pixels=512 * 512, max_pictures=2)
        await rules.set(guild_id, Scope.USER, member, day, by=admin, reason="paints a lot")
        month = Rule(Allowance(500_000, Period(Window.MONTH)))
        await rules.set(guild_id, Scope.BUDGET, 0, month, by=admin)
        for days_ago in range(6, -1, -1):
            for person, busy in ((member, 9), (moderator, 4), (admin, 2)):
                for _ in range(chance.randint(0, busy)):
                    clock[0] = now - days_ago * DAY_S - chance.uniform(0, 600)
                    cost = chance.choice((500, 1000, 1000, 2000))
                    await bring_to(storage, JobStatus.DELIVERED, _job(guild_id, person, cost))
        clock[0] = now
        await rules.grant(
            guild_id,
            member,
            5000,
            by=admin,
            reason="for the poster",
            expires_at=now + 20 * DAY_S,
        )


def _job(guild_id: int, user_id: int, cost: int) -> NewJob:
    return NewJob(
        origin=Origin(user_id, guild_id),
        kind="imagine",
        request_json="{}",
        prompt="a red heart",
        num_pictures=1,
        seed=7,
        model="house",
        model_fingerprint="",
        cost=cost,
    )


async def _ask(page: Page, command: str, first_option: str) -> None:
    """Sends a command without the option that the composer opens by itself."""
    await page.locator("#channel-composer-input").click()
    await page.keyboard.type(command)
    await page.keyboard.press("Enter")
    await page.get_by_label(f"Remove {first_option} option").click()
    await page.locator("#send-message").click()


async def _show(chat: Chat) -> None:
    page = chat.page
    await _ask(page, "/quota show", "member")
    await page.get_by_text("1 credit: a picture").last.wait_for()
    await _shoot(chat, "show")
    await page.locator("#viewer-picker").select_option(label="Admin")
    await _ask(page, "/quota usage", "by")
    for by, shot in (("By member", "usage"), ("By day", "usage-days")):
        if by != "By member":
            await page.get_by_role("button", name=by).last.click()
        picture = page.locator(f'img.gallery-image[src][alt*="{by.lower()}"]').last
        await picture.wait_for()
        await picture.evaluate("it => it.decode()")
        await _shoot(chat, shot)


async def _shoot(chat: Chat, name: str) -> None:
    """At both widths; what was typed for it was typed at the wider one."""
    for suffix, (width, height) in (("-phone", PHONE), ("", DESKTOP)):
        await chat.page.set_viewport_size({"width": width, "height": height})
        await chat.rest()
        await chat.page.evaluate("Promise.all(document.getAnimations().map(it => it.finished))")
        await chat.page.screenshot(path=DOCS / f"quota-{name}{suffix}.png")


if __name__ == "__main__":
    asyncio.run(main())
