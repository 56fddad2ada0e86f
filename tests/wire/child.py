"""Runs a bot in a process of its own against the stand-in, so that a test can kill it.

`Wire.spawn` starts it as `COMMAND` says, with `Wire.environment()` around it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

# Packages that the bot shall not find are hidden before anything imports discord.py.
COMMAND = """
import os, runpy, sys
sys.modules.update(dict.fromkeys(os.environ["WIRE_WITHOUT"].split()))
runpy.run_module("tests.wire.child", run_name="__main__")
"""


def main() -> None:
    Route.BASE = os.environ["WIRE_API"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["WIRE_GATEWAY"])
    setattr(discord.Asset, "BASE", os.environ["WIRE_CDN"])  # noqa: B010
    module, _, name = sys.argv[1].partition(":")
    client: discord.Client = getattr(importlib.import_module(module), name)()
    asyncio.run(client.start(os.environ["WIRE_TOKEN"]))


if __name__ == "__main__":
    main()
