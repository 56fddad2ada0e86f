"""What a card says of an end that was written down under rules which are others by now."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from limner.bot.ask import Ask
from limner.bot.context import PictureActions
from limner.bot.member import Member
from limner.bot.sheets import Sheets
from limner.storage.guild_records import NsfwPolicy
from limner.storage.records import NewJob, NewPicture, Origin

if TYPE_CHECKING:
    from limner.bot.cards.layout import Sheet
    from limner.bot.studio import Studio
    from limner.storage.records import Job

pytestmark = pytest.mark.asyncio(loop_scope="session")

GUILD, USER = 7101, 7102
LIMIT_BYTES = 10 << 20


async def accepted(studio: Studio, num_pictures: int = 1) -> Job:
    ask = await studio.judge(Ask("a heart", seed=7, count=num_pictures), Member(1))
    new = NewJob(
        Origin(USER, GUILD, 1),
        "imagine",
        ask.to_json(),
        "a heart",
        num_pictures,
        7,
        "",
        "f",
        2000,
        1,
    )
    job = await studio.storage.jobs.accept(new)
    await studio.storage.jobs.start(job.id)
    return job


async def sheet_of(studio: Studio, job: Job) -> Sheet:
    job = await studio.storage.jobs.get(job.id)
    pictures = await studio.storage.images.of_job(job.id)
    sheets = Sheets(studio, PictureActions())
    return await sheets.ended(job, Ask.from_json(job.new.request_json), pictures, LIMIT_BYTES)


async def leave(studio: Studio, job: Job) -> None:
    """Told, so that no later bot takes it up in a channel that its Discord does not have."""
    await studio.storage.jobs.told(job.id)


def words(sheet: Sheet) -> str:
    return str(sheet.view.to_components())


@pytest.mark.parametrize(("settle", "said"), [(1500, "1.5 credits"), (0, "")])
async def test_who_cancelled_a_job_is_told_what_it_costs_all_the_same(
    studio: Studio, settle: int, said: str
) -> None:
    job = await accepted(studio)
    await studio.storage.jobs.cancel(job.id, settle=settle)
    card = words(await sheet_of(studio, job))
    assert said in card
    assert ("credit" in card) is bool(said)
    await leave(studio, job)


async def test_a_failure_that_is_charged_says_how_much(studio: Studio) -> None:
    job = await accepted(studio)
    await studio.storage.jobs.fail(job.id, "It is unsafe.", settle=2000)
    assert "2 credits" in words(await sheet_of(studio, job))
    await leave(studio, job)


@pytest.mark.parametrize("num_safe", [1, 0])
async def test_what_was_stored_under_a_looser_rule_is_not_posted(
    studio: Studio, num_safe: int
) -> None:
    job = await accepted(studio, num_safe + 1)
    kept = [
        NewPicture(i, _png(i), 7 + i, 128, 128, "{}", is_unsafe=i == num_safe)
        for i in range(num_safe + 1)
    ]
    await studio.storage.jobs.store(job.id, kept)
    for policy, num_shown in ((NsfwPolicy.SPOILER, num_safe + 1), (NsfwPolicy.REFUSE, num_safe)):
        await studio.storage.guilds.change_settings(
            GUILD, lambda old, p=policy: replace(old, nsfw_policy=p), by=1
        )
        sheet = await sheet_of(studio, job)
        assert len(sheet.files) == num_shown
        assert ("not shown" in words(sheet)) is (policy is NsfwPolicy.REFUSE)
        assert "not in the store" not in words(sheet)
    await leave(studio, job)


def _png(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (128, 128), (number, 0, 0)).save(out, "PNG")
    return out.getvalue()
