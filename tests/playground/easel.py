"""A small bot of the real one's shape: a thread paints, what it tells is posted to the loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from contextvars import copy_context
from typing import Any

import discord
from discord import app_commands, ui
from discord.ext import commands

STEPS = 3


def card(text: str, *, is_done: bool = False) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(text))
    if is_done:
        row: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
        row.add_item(Again())
        view.add_item(row)
    return view


class Again(ui.DynamicItem[ui.Button[Any]], template="again"):
    def __init__(self) -> None:
        super().__init__(ui.Button(label="Paint again", custom_id="again"))

    @classmethod
    async def from_custom_id(cls, interaction: Any, item: Any, match: Any) -> Again:
        return cls()

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer()
        await interaction.followup.send(view=card("again, by a bot of its own"), wait=True)


class Question(ui.Modal, title="Question"):
    word: ui.TextInput[Any] = ui.TextInput(label="Word", custom_id="word")

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(f"the word is {self.word.value}")


class Commands(commands.Cog):
    @app_commands.command()
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        prompt: str,
        picture: discord.Attachment | None = None,
    ) -> None:
        await interaction.response.defer()
        got = await picture.read() if picture else b""
        await interaction.edit_original_response(view=card("queued"))
        interaction.client.submit(interaction, f"{prompt} from {len(got)} bytes")

    @app_commands.command()
    async def whisper(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("for you alone", ephemeral=True)

    @app_commands.command()
    async def where(self, interaction: discord.Interaction[Any]) -> None:
        channel = interaction.channel
        is_restricted = isinstance(channel, discord.TextChannel) and channel.is_nsfw()
        limit = interaction.filesize_limit
        can_post = interaction.app_permissions.attach_files
        is_ours = interaction.is_guild_integration()
        await interaction.response.send_message(
            f"restricted={is_restricted} limit={limit} can_post={can_post} is_ours={is_ours}"
        )


class EaselBot(commands.Bot):
    def __init__(self) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned, intents=discord.Intents(guilds=True)
        )
        self.easel: queue.Queue[Any] = queue.Queue()
        self.go_on = threading.Event()
        """Holds the painter after its first step."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def setup_hook(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._timer = self._loop.call_later(0, str)
        self._painter = threading.Thread(target=self._paint, daemon=True)
        self._painter.start()
        self._sweeper = asyncio.create_task(asyncio.Event().wait())
        await self.add_cog(Commands())
        self.tree.add_command(app_commands.ContextMenu(name="Ask", callback=ask))
        self.add_dynamic_items(Again)
        await self.tree.sync()

    def _paint(self) -> None:
        while (work := self.easel.get()) is not None:
            news, text = work
            self._loop.call_soon_threadsafe(news.put_nowait, (f"step 1 of {STEPS}", False))
            self.go_on.wait()
            self._loop.call_soon_threadsafe(news.put_nowait, (f"painted {text}", True))

    def submit(self, interaction: discord.Interaction[Any], text: str) -> None:
        news: asyncio.Queue[tuple[str, bool]] = asyncio.Queue(STEPS)
        telling = self._tell(interaction, news)
        # As the real delivery: in the context of the set-up, not of the handler.
        task = asyncio.create_task(telling, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.easel.put((news, text))
        self._estimate()

    def _estimate(self) -> None:
        """As the real queue: again and again, from when somebody began to wait."""
        self._timer = self._loop.call_later(0.05, self._estimate)

    async def _tell(
        self, interaction: discord.Interaction[Any], news: asyncio.Queue[tuple[str, bool]]
    ) -> None:
        is_done = False
        while not is_done:
            text, is_done = await news.get()
            # Through the interaction's webhook: this context knows nothing of a simulation.
            await interaction.edit_original_response(view=card(text, is_done=is_done))

    async def close(self) -> None:
        self.go_on.set()
        self.easel.put(None)
        self._timer.cancel()
        for task in (self._sweeper, *self._tasks):
            task.cancel()
        await super().close()


async def ask(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    await interaction.response.send_modal(Question())
