"""Limner as a guest in other people's bots: it loads, leaves, and takes only what is its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import discord
import psutil
import pytest
from discord import app_commands
from discord.ext import commands

from limner.storage.records import JobStatus, Origin
from tests.pipelines.models import make_house_like

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from limner.bot.studio import Studio


pytestmark = pytest.mark.usefixtures("modules")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_house_like(tmp_path_factory.mktemp("extension") / "house")


@pytest.fixture
def config(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(f"[models.tiny]\npath = {str(model)!r}\nsteps = 2\n[storage]\nfree_mib = 1\n")
    monkeypatch.setenv("LIMNER_CONFIG", str(path))
    return path


def make_host() -> commands.Bot:
    return commands.Bot(command_prefix="!", intents=discord.Intents.none())


def studio_in(host: commands.Bot) -> Studio:
    # discord.py forgets an extension's modules when it unloads it: what was imported before is
    # another module's by now.
    from limner.bot.context import context_of

    return context_of(host).studio


def all_workers() -> set[psutil.Process]:
    return {
        process
        for process in psutil.Process().children(recursive=True)
        if "limner.pipelines.serving.worker" in " ".join(process.cmdline())
    }


@pytest.fixture
def workers() -> Callable[[], set[psutil.Process]]:
    """Those that began after the test: other tests' studios may live on beside it."""
    before = all_workers()
    return lambda: all_workers() - before


async def test_it_adds_its_commands_and_takes_everything_away_again(
    config: Path, workers: Callable[[], set[psutil.Process]]
) -> None:
    host = make_host()

    @host.tree.command(name="hello", description="The host's own.")
    async def hello(interaction: discord.Interaction) -> None:
        raise NotImplementedError

    async with host:
        await host.load_extension("limner.bot")
        assert host.tree.get_command("imagine") is not None
        await studio_in(host).pool.ready()
        assert len(workers()) == 1
        assert (config.parent / "data" / "limner.db").is_file()
        await host.unload_extension("limner.bot")
        assert [command.name for command in host.tree.get_commands()] == ["hello"]
        assert not host.cogs
        assert not workers()
        # The folder's lock is free again.
        await host.load_extension("limner.bot")
        await host.unload_extension("limner.bot")


async def test_unloading_while_it_paints_loses_nothing(
    config: Path, workers: Callable[[], set[psutil.Process]]
) -> None:
    async with make_host() as host:
        await host.load_extension("limner.bot")
        from limner.bot.ask import Ask
        from limner.bot.member import Member

        studio = studio_in(host)
        await studio.pool.ready()
        job = await studio.submit(Ask("a cat", steps=90), Origin(1), Member(1))
        await host.unload_extension("limner.bot")
        assert not workers()
        await host.load_extension("limner.bot")
        studio = studio_in(host)
        assert (await studio.storage.jobs.get(job.id)).status in (
            JobStatus.QUEUED,
            JobStatus.RUNNING,
        )
        assert await studio.cancel(job.id)


async def test_a_host_keeps_its_own_command_and_the_rest_loads(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = make_host()
    own = app_commands.Command(
        name="imagine", description="The host's own.", callback=_host_imagine
    )
    host.tree.add_command(own)
    async with host:
        with caplog.at_level(logging.WARNING):
            await host.load_extension("limner.bot")
        assert host.tree.get_command("imagine") is own
        assert host.tree.get_command("variation") is not None
        (record,) = [r for r in caplog.records if "already has a command" in r.message]
        assert "'imagine'" in record.message
        await host.unload_extension("limner.bot")
        assert host.tree.get_commands() == [own]


async def _host_imagine(interaction: discord.Interaction) -> None:
    raise NotImplementedError


async def test_it_never_syncs_the_hosts_tree(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[object] = []

    async def sync(tree: object, **_: object) -> list[object]:
        synced.append(tree)
        return []

    monkeypatch.setattr(app_commands.CommandTree, "sync", sync)
    async with make_host() as host:
        await host.load_extension("limner.bot")
        await host.unload_extension("limner.bot")
    assert not synced


async def test_loading_it_twice_or_in_a_second_bot_is_refused_and_changes_nothing(
    config: Path, workers: Callable[[], set[psutil.Process]]
) -> None:
    async with make_host() as first, make_host() as second:
        await first.load_extension("limner.bot")
        studio = studio_in(first)
        with pytest.raises(commands.ExtensionAlreadyLoaded):
            await first.load_extension("limner.bot")
        with pytest.raises(commands.ExtensionFailed) as caught:
            await second.load_extension("limner.bot")
        assert "Another Limner is using" in str(caught.value.original)
        assert not second.cogs
        assert first.tree.get_command("imagine") is not None
        await studio.pool.ready()
        assert len(workers()) == 1
    # A bot that ends takes them along.
    assert not workers()


async def test_a_wrong_setting_is_told_and_nothing_is_left_behind(
    config: Path, monkeypatch: pytest.MonkeyPatch, workers: Callable[[], set[psutil.Process]]
) -> None:
    monkeypatch.setenv("LIMNER_ENGINE__DTIPE", "x")
    async with make_host() as host:
        with pytest.raises(commands.ExtensionFailed) as caught:
            await host.load_extension("limner.bot")
        assert "did you mean 'dtype'?" in str(caught.value.original)
        assert not host.cogs
        assert not host.tree.get_commands()
        assert not workers()


@pytest.mark.parametrize(
    # Without one is the harder of the two.
    "guard",
    [pytest.param("if __name__ == '__main__':", marks=pytest.mark.long), "if True:"],
)
def test_a_host_with_its_own_bot_module_with_and_without_a_main_guard(
    config: Path, tmp_path: Path, guard: str
) -> None:
    (tmp_path / "bot.py").write_text("MINE = True\n")
    (tmp_path / "host.py").write_text(
        dedent(f"""
        import asyncio, bot, discord
        from discord.ext import commands

        print("host begins", flush=True)

        async def main():
            host = commands.Bot(command_prefix="!", intents=discord.Intents.none())
            async with host:
                await host.load_extension("limner.bot")
                from limner.bot.context import context_of
                await context_of(host).studio.pool.ready()
                print("ready", bot.MINE, host.tree.get_command("imagine").name, flush=True)

        {guard}
            asyncio.run(main())
        """)
    )
    done = subprocess.run(
        [sys.executable, "host.py"],
        cwd=tmp_path,
        env={**os.environ, "LIMNER_CONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A worker that imported the host's script would begin it again.
    assert done.stdout.splitlines() == ["host begins", "ready True imagine"]


async def test_what_goes_wrong_on_the_way_out_is_logged(
    config: Path, caplog: pytest.LogCaptureFixture, workers: Callable[[], set[psutil.Process]]
) -> None:
    async with make_host() as host:
        await host.load_extension("limner.bot")
        lifetime = host.get_cog("LimnerLifetime")
        assert lifetime is not None
        lifetime._resources.push_async_callback(_broken)
        with caplog.at_level(logging.ERROR):
            await host.unload_extension("limner.bot")
    assert any("did not stop cleanly" in record.message for record in caplog.records)
    assert not workers()


async def _broken() -> None:
    raise RuntimeError("the lamp fell over")
