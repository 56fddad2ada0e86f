"""One user's data: an export has all of it, a deletion leaves none, and neither touches others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from limner.storage import Allowance, JobStatus, QuotaRefusedError, Rule, Storage
from limner.storage.errors import NoSuchJobError
from limner.storage.quota_rules import Scope
from limner.storage.records import NewBlock

from .makers import ADMIN, DAY_S, GUILD, Clock, ask, bring_to, painted, sha256

if TYPE_CHECKING:
    from pathlib import Path

HER = 123_456_789_012_345_678
HIM = 876_543_210_987_654_321


async def live(storage: Storage, user: int) -> dict[str, int]:
    """Everything that can be kept about somebody."""
    name = str(user).encode()
    source = await storage.images.put(b"source of " + name)
    ids = {
        status: (
            await bring_to(storage, status, ask(user, inputs=(source,), prompt=f"wish of {user}"))
        ).id
        for status in (JobStatus.DELIVERED, JobStatus.RUNNING)
    }
    blocked = await bring_to(storage, JobStatus.RUNNING, ask(user, inputs=(source,)))
    ids[JobStatus.FAILED] = blocked.id
    block = NewBlock("0" * 64, "stock", "unsafe")
    await storage.jobs.fail(blocked.id, f"No picture for {user}.", blocks=[block])
    await storage.rules.set(GUILD, Scope.USER, user, Rule(Allowance(5000)), by=ADMIN)
    await storage.rules.grant(GUILD, user, 700, by=ADMIN, reason=f"a gift for {user}")
    await storage.moderation.ban(GUILD, user, by=ADMIN, reason=f"{user} was rude")
    await storage.moderation.add_to_blocklist(GUILD, [f"word {user % 7}"], is_regex=False, by=user)
    return {status.value: job_id for status, job_id in ids.items()}


def rows_with(folder: Path, text: str) -> list[str]:
    """Tables in which any column of any row contains the text."""
    found: list[str] = []
    with closing(sqlite3.connect(folder / "limner.db")) as connection:
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        ).fetchall():
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            if any(text in str(value) for row in rows for value in row):
                found.append(table)
    return found


async def test_an_export_has_every_row_and_file_of_the_user_and_none_of_another(
    storage: Storage, tmp_path: Path
) -> None:
    await live(storage, HER)
    await live(storage, HIM)
    export = await storage.export_user(HER)
    assert {name: len(rows) for name, rows in export.tables.items()} == {
        "jobs": 3,
        "pictures": 1,
        "inputs": 3,
        "ledger": 6,
        "quota_rules": 1,
        "bans": 1,
        "blocked_pictures": 1,
        "audit_log": 4,
    }
    data = json.dumps({name: list(rows) for name, rows in export.tables.items()})
    assert f"wish of {HER}" in data
    assert str(HIM) not in data
    assert "the-token" not in data
    pictures = {name: path.read_bytes() for name, path in export.files.items()}
    assert set(pictures) == set(map(sha256, pictures.values()))
    assert f"source of {HER}".encode() in pictures.values()
    assert len(pictures) == 2
    # Every table that knows of her is in the export.
    known = set(rows_with(tmp_path / "data", str(HER)))
    assert known <= {*export.tables, "blocklist"}


async def test_after_a_deletion_nothing_names_the_user_not_even_in_the_files_bytes(
    storage: Storage, tmp_path: Path
) -> None:
    ids = await live(storage, HER)
    his = await live(storage, HIM)
    forgotten = await storage.forget_user(HER)
    assert (forgotten.num_jobs, forgotten.num_pictures, forgotten.num_files) == (3, 1, 2)
    assert rows_with(tmp_path / "data", str(HER)) == []
    assert await storage.jobs.by_user(HER, GUILD) == []
    for job_id in ids.values():
        with pytest.raises(NoSuchJobError):
            await storage.jobs.get(job_id)
    # Her running job's picture comes too late.
    with pytest.raises(NoSuchJobError):
        await storage.jobs.store(ids["running"], [painted()])
    for path in (tmp_path / "data").glob("limner.db*"):
        data = path.read_bytes()
        assert f"wish of {HER}".encode() not in data
        assert f"gift for {HER}".encode() not in data
    findings = await storage.check()
    assert not findings.missing_files
    # He lost nothing.
    assert f"wish of {HIM}".encode() in (tmp_path / "data" / "limner.db").read_bytes()
    assert [job.id for job in await storage.jobs.by_user(HIM, GUILD)] == sorted(
        his.values(), reverse=True
    )
    (picture,) = await storage.images.of_job(his["delivered"])
    assert await storage.images.read(picture.sha256)


async def test_forgetting_lifts_no_ban_no_rule_and_refills_no_quota(
    storage: Storage, clock: Clock
) -> None:
    await live(storage, HER)
    await storage.jobs.accept(ask(HER, cost=3000))
    await storage.forget_user(HER)
    assert await storage.moderation.ban_of(GUILD, HER) is not None
    standing = await storage.quotas.standing(GUILD, HER)
    assert standing.rules.user == Rule(Allowance(5000))
    # One delivered picture is spent; what still ran was cancelled and came back.
    assert await storage.ledger.used(GUILD, HER) == 1000
    with pytest.raises(QuotaRefusedError) as refusal:
        await storage.jobs.accept(ask(HER, cost=10**9))
    assert refusal.value.refused.left == 4000 + 700
    # An admin still can lift both.
    assert await storage.moderation.unban(GUILD, HER, by=ADMIN)
    await storage.rules.set(GUILD, Scope.USER, HER, None, by=ADMIN)
    assert await storage.moderation.ban_of(GUILD, HER) is None
    assert (await storage.quotas.standing(GUILD, HER)).rules.user == Rule()


async def test_when_no_window_counts_it_any_more_not_even_a_pseudonym_stays(
    storage: Storage, clock: Clock
) -> None:
    await live(storage, HER)
    await storage.forget_user(HER)
    clock.now += 30 * DAY_S
    await storage.sweep()
    assert await storage.ledger.used(GUILD, HER) == 1000
    clock.now += 2 * DAY_S
    await storage.sweep()
    assert await storage.ledger.used(GUILD, HER) == 0
    # The server's own sum is as it was.
    usage = await storage.usage.by_user(GUILD, since=0, until=clock.now)
    assert [(row.subject_id, row.amount) for row in usage] == [(0, 1000)]


async def test_a_picture_of_the_same_content_stays_for_whoever_else_made_it(
    storage: Storage,
) -> None:
    kept = []
    for user in (HER, HIM):
        job = await bring_to(storage, JobStatus.RUNNING, ask(user))
        kept += await storage.jobs.store(job.id, [painted(b"the same")])
    assert (await storage.forget_user(HER)).num_files == 0
    assert await storage.images.read(kept[1].sha256) == b"the same"


async def test_a_variation_by_another_outlives_the_picture_it_was_made_from(
    storage: Storage,
) -> None:
    job = await bring_to(storage, JobStatus.RUNNING, ask(HER))
    (picture,) = await storage.jobs.store(job.id, [painted(b"hers")])
    his = await storage.jobs.accept(ask(HIM, parent=picture.id, inputs=(picture.sha256,)))
    await storage.forget_user(HER)
    his = await storage.jobs.get(his.id)
    assert his.new.parent_picture_id is None
    # It was accepted, so it can still be painted.
    assert await storage.images.read(his.new.input_hashes[0]) == b"hers"


async def test_forgetting_somebody_unknown_is_no_error(storage: Storage) -> None:
    forgotten = await storage.forget_user(HER)
    assert (forgotten.num_jobs, forgotten.num_pictures, forgotten.num_files) == (0, 0, 0)
    assert all(not rows for rows in (await storage.export_user(HER)).tables.values())


async def test_an_administrator_who_is_forgotten_is_a_pseudonym_in_the_log(
    storage: Storage,
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(1)), by=HER)
    await storage.forget_user(HER)
    (entry,) = await storage.audit.entries(GUILD)
    assert entry.actor_id < -1
    assert '"amount": 1' in entry.after_json
