"""The benchmark's small form, and what makes its large form fast: no hot scan of a table."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from limner.benchmarks.storage import Size, measure, print_table
from limner.storage import Storage
from limner.storage.queries import load

if TYPE_CHECKING:
    from pathlib import Path

HOT = {
    "jobs": ("job", "count_unfinished", "start", "store", "told", "untold", "by_user"),
    "ledger": ("hold_of", "draws_of", "of_user", "balance_of_user"),
    "quotas": (
        "rules_of_member",
        "zone",
        "last_reset",
        "spent_sum",
        "spent_lines",
        "guild_spent_sum",
        "guild_spent_lines",
        "live_grants",
    ),
    "images": ("picture", "of_job", "is_needed"),
    "admin": ("settings", "permissions", "ban_of", "blocklist", "audit"),
}


async def test_the_benchmark_fills_measures_and_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = Size(num_jobs=3000, num_unfinished=100, num_entries=30_000, num_samples=40)
    figures = await measure(size, tmp_path)
    print_table(figures, size)
    printed = capsys.readouterr().out
    for row in figures.rows:
        assert 0 < row.p50 <= row.p99 <= row.worst
        assert row.name in printed
    async with Storage.open(tmp_path) as storage:
        assert (await storage.check()).is_sound


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with statistics, so that SQLite plans as it would on a large one."""
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(measure(Size(2000, 100, 10_000, 8), folder))
    with closing(sqlite3.connect(folder / "limner.db")) as connection:
        connection.execute("ANALYZE")
        connection.commit()
    return folder / "limner.db"


@pytest.mark.parametrize(
    ("subject", "name"), [(subject, name) for subject, names in HOT.items() for name in names]
)
def test_a_hot_statement_scans_no_table_that_grows(filled: Path, subject: str, name: str) -> None:
    statement = load(subject)[name]
    parameters = dict.fromkeys(re.findall(r":([a-z_0-9]+)", statement), 1)
    with closing(sqlite3.connect(filled)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    growing = r"SCAN (jobs|ledger|pictures|job_inputs|grant_draws|guild_usage|audit_log)\b"
    # A partial index holds only the rows in question: to walk through it is the point of it.
    harmless = r"USING (COVERING )?INDEX jobs_(untold|unfinished)"
    scans = [
        detail
        for *_, detail in steps
        if re.search(growing, detail) and not re.search(harmless, detail)
    ]
    assert not scans
