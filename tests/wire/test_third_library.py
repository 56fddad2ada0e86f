"""The basic flow by discord.js: another language's reading of Discord, where node is at hand.

Put it where this looks for it with `npm install --prefix build/wire discord.js@14`; in a CI run
(the environment variable CI) that is done here.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .sample_bot import RED_PIXEL
from .specification import needed

if TYPE_CHECKING:
    from .server import Wire

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "wire"
INSTALL_S = 180


@pytest.fixture(scope="module")
def node() -> str:
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules" / "discord.js").is_dir():
        if npm is None or not os.environ.get("CI"):
            pytest.skip("discord.js is not there: npm install --prefix build/wire discord.js@14")
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", FOLDER, "discord.js@14"]
        try:
            subprocess.run(command, timeout=INSTALL_S, capture_output=True, check=True)
        except subprocess.SubprocessError:
            pytest.skip("discord.js could not be installed")
    return program


@needed
async def test_discord_js_registers_is_asked_and_delivers(wire: Wire, node: str) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    process = await asyncio.create_subprocess_exec(
        node,
        ROOT / "tests" / "wire" / "second_client.js",
        env=wire.environment()
        | {"WIRE_NODE": str(FOLDER / "package.json"), "WIRE_PICTURE": RED_PIXEL.hex()},
    )
    try:
        await wire.until(lambda: wire.world.commands.get(None), "the commands", 30)
        reply = await wire.slash(ann, channel, "imagine", prompt="a boat")
        message = await reply.message()
        assert message.text == "a boat for ann"
        assert await wire.fetch(message.gallery[0].url) == RED_PIXEL

        modal = await (await wire.click(ann, message, "Again")).modal()
        told = await (await wire.submit(ann, modal, more="boats")).message()
        assert (told.text, told.is_ephemeral) == ("more boats", True)

        wire.gateway.drop()
        await wire.until(lambda: wire.gateway.num_resumed == 1, "RESUME", 30)
        channel.post(ann, "hello")
        seen = await wire.message(channel, lambda m: m.text == "seen and edited")
        assert (seen.files[0].data, list(seen.reactions)) == (RED_PIXEL + b"x", ["🎨"])
        private = await wire.message(wire.world.direct(ann))
        assert private.text == "for you"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
