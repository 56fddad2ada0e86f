"""`limner doctor`: everything that painting needs, checked for real, each with what to do about it.

A check is one function here or in the room that it is about; none of them changes anything, except
the sweep that `--mend` asks for.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import platform
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import aiohttp
import discord
from PIL import Image
from rich.console import Console

from ..pipelines.errors import ModelError, PipelineError
from ..pipelines.trial import trial
from ..storage.checkup import check
from ..storage.errors import FolderInUseError, StorageError
from ..storage.storage import Storage
from . import settings as settings_file
from .errors import SettingsError
from .findings import Finding, State
from .opening import described, safety_of
from .runner import INTENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from .settings import Settings

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    attach_files=True,
    read_message_history=True,
)
"""The least that delivery needs: answer, answer late, and look whether it answered already."""

_JUDGED = 8
"""Pictures, to tell how long one takes the safety checker."""
_LIBRARIES = ("discord.py", "torch", "diffusers", "transformers", "accelerate", "aiosqlite")


def examine(config: Path | None, *, as_json: bool, is_mending: bool) -> bool:
    """Runs every check and prints what was found; whether all is well."""
    console = Console()
    findings: list[Finding] = []

    async def run() -> None:
        async for finding in _findings(config, is_mending=is_mending):
            findings.append(finding)
            if not as_json:
                mark = {State.WELL: "[green]✓[/]", State.NOTE: "[yellow]·[/]"}.get(
                    finding.state, "[red]✗[/]"
                )
                console.print(f"{mark} {finding.about}: ", end="")
                console.print(finding.sentence, markup=False, highlight=False, soft_wrap=True)

    asyncio.run(run())
    is_well = all(finding.state is not State.WRONG for finding in findings)
    if as_json:
        found = {"is_well": is_well, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(found, indent=2))
    return is_well


async def _findings(config: Path | None, *, is_mending: bool) -> AsyncIterator[Finding]:
    yield _versions()
    try:
        settings = settings_file.load(config)
    except SettingsError as error:
        yield Finding("settings", State.WRONG, str(error))
        return
    yield Finding("settings", State.WELL, f"{config or settings_file.config_path()} is valid.")
    for finding in await asyncio.to_thread(lambda: list(_painting(settings))):
        yield finding
    yield await asyncio.to_thread(_safety, settings)
    async for finding in _storage(settings, is_mending=is_mending):
        yield finding
    async for finding in _discord(settings):
        yield finding


def _versions() -> Finding:
    found = [f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES]
    return Finding(
        "versions",
        State.WELL,
        f"Limner {importlib.metadata.version('limner')}, Python {platform.python_version()}, "
        + ", ".join(found),
    )


def _painting(settings: Settings) -> Iterator[Finding]:
    """The models' files, the device, and one picture painted by each model."""
    from ..pipelines.engine.engine import Engine  # loads torch

    device = settings.engine.devices[0]
    for name, model in settings.models.items():
        about = f"model {name}"
        try:
            checkpoint = described(name, model)
            engine = Engine([checkpoint], device=device, dtype=settings.engine.dtype)
            began = time.perf_counter()
            (result,) = engine.run([trial(checkpoint)])
        except (ModelError, PipelineError) as error:
            yield Finding(about, State.WRONG, str(error))
            continue
        took_s = time.perf_counter() - began
        yield Finding(
            about,
            State.WELL,
            f"{checkpoint.family}, {checkpoint.num_bytes / 1e6:,.0f} MB; loaded and painted"
            f" {result.image.width} x {result.image.height} in {took_s:.1f} s on"
            f" {engine.device} in {str(engine.dtype).removeprefix('torch.')},"
            f" {engine.stats.memory_bytes / 2**20:,.0f} MiB in use.",
        )


def _safety(settings: Settings) -> Finding:
    """The checker, loaded as a worker loads it; without it nothing is painted."""
    from ..pipelines.safety.opening import open_checker  # loads its library

    safety = safety_of(settings)
    if safety is None:
        return Finding("safety", State.NOTE, "no checker: every picture is shown, whatever it is.")
    try:
        checker = open_checker(safety)
    except PipelineError as error:
        return Finding("safety", State.WRONG, f"{error} Until then nothing is painted.")
    began = time.perf_counter()
    checker.check([Image.new("RGB", (512, 512), "grey")] * _JUDGED)
    took_ms = (time.perf_counter() - began) * 1000 / _JUDGED
    return Finding(
        "safety",
        State.WELL,
        f"{safety.checker} judges a picture in {took_ms:.0f} ms; unsafe is above"
        f" {safety.threshold:g}.",
    )


async def _storage(settings: Settings, *, is_mending: bool) -> AsyncIterator[Finding]:
    folder = settings.storage.folder
    try:
        async with Storage.open(folder) as storage:
            yield Finding("database", State.WELL, f"{folder} can be read and written.")
            if is_mending:
                swept = await storage.sweep(grace_s=0)
                yield Finding(
                    "mended",
                    State.WELL,
                    f"{swept.num_orphans} files that nobody needed are gone,"
                    f" {swept.num_missing} missing ones are marked.",
                )
            findings = await storage.check()
    except FolderInUseError:
        yield Finding("database", State.NOTE, f"{folder} is in use: a bot is running on it.")
        findings = await asyncio.to_thread(check, folder)
    except StorageError as error:
        yield Finding("database", State.WRONG, str(error))
        return
    if findings.is_sound:
        yield Finding("pictures", State.WELL, "every row has its file, and every file its row.")
    # Files that belong to nothing are swept at the next start; drafts are such files for an hour.
    is_untidy = replace(findings, orphan_files=()).is_sound
    for sentence in findings.sentences():
        yield Finding("pictures", State.NOTE if is_untidy else State.WRONG, sentence)


async def _discord(settings: Settings) -> AsyncIterator[Finding]:
    try:
        token = settings.token
    except SettingsError as error:
        yield Finding("token", State.WRONG, str(error))
        return
    if token is None:
        yield Finding(
            "token",
            State.NOTE,
            "none; the demo needs none. For real Discord set LIMNER_DISCORD__TOKEN.",
        )
        return
    client = discord.Client(intents=INTENTS)
    tree = discord.app_commands.CommandTree(client)
    try:
        await client.login(token)
        application = await client.application_info()
        yield Finding("token", State.WELL, f"accepted; this is {application.name}.")
        yield Finding("intents", State.WELL, "no privileged intent is needed.")
        synced = await tree.fetch_commands()
        yield Finding(
            "commands",
            State.WELL if synced else State.NOTE,
            f"{len(synced)} are known to Discord."
            if synced
            else "none is known to Discord yet; `limner run` tells them.",
        )
        link = discord.utils.oauth_url(
            application.id, permissions=PERMISSIONS, scopes=("bot", "applications.commands")
        )
        yield Finding("invite", State.WELL, link)
    except discord.LoginFailure:
        yield Finding(
            "token", State.WRONG, "Discord does not accept it: copy it again from the portal."
        )
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        yield Finding("token", State.WRONG, f"Discord can't be reached: {error}.")
    finally:
        await client.close()
