"""A small painting bot for the stand-in's own tests, well-behaved unless told to make a mistake."""

from __future__ import annotations

import asyncio
import io
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands, ui
from discord.http import Route

if TYPE_CHECKING:
    import re

RED_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000"
    "00907753de0000000c49444154789c63f8cfc0000003010100c9fe92"
    "ef0000000049454e44ae426082"
)


class Mistake(StrEnum):
    """The faults that the stand-in has to catch."""

    LATE = "late acknowledgement"
    TWICE = "double acknowledgement"
    NEVER = "no acknowledgement"
    HUGE = "11 MB file"
    WRONG_ID = "wrong attachment id"
    WRONG_NAME = "wrong attachment name"
    BESIDE_V2 = "content beside v2"
    PING = "a ping"
    LOST_BUTTON = "a button lost by a restart"
    DOUBLED = "a doubled delivery"
    UNKNOWN_KEY = "an unknown key"
    OPTIONS = "26 options"
    LEAK = "a private answer after a public acknowledgement"


class Again(ui.DynamicItem[ui.Button[Any]], template=r"again:(?P<seed>\d+)"):
    """The restart-proof button: all that it needs stands in its custom id."""

    def __init__(self, seed: int) -> None:
        super().__init__(ui.Button(label="Again", custom_id=f"again:{seed}"))
        self.seed = seed

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Again:
        del interaction, item
        return cls(int(match["seed"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(view=card(f"seed {self.seed} again", self.seed))


class Describe(ui.Modal, title="Describe it"):
    """A modal of the newer kind: labels around a text, a select and a file."""

    prompt = ui.Label(text="Prompt", component=ui.TextInput[Any](custom_id="prompt"))
    style = ui.Label(
        text="Style",
        component=ui.Select[Any](
            custom_id="style",
            options=[discord.SelectOption(label="Ink"), discord.SelectOption(label="Oil")],
        ),
    )
    mask = ui.Label(
        text="Mask", component=ui.FileUpload[Any](custom_id="mask", required=False, max_values=1)
    )

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        assert isinstance(self.prompt.component, ui.TextInput)
        assert isinstance(self.style.component, ui.Select)
        assert isinstance(self.mask.component, ui.FileUpload)
        masks = [await mask.read() for mask in self.mask.component.values]
        text = f"{self.prompt.component.value} in {self.style.component.values[0]}"
        sizes = [len(mask) for mask in masks]
        await interaction.response.send_message(f"{text}, masks {sizes}", ephemeral=True)


class Picks(ui.ActionRow[Any]):
    @ui.select(
        custom_id="model",
        options=[discord.SelectOption(label="small"), discord.SelectOption(label="large")],
    )
    async def pick(self, interaction: discord.Interaction[Any], select: ui.Select[Any]) -> None:
        await interaction.response.send_message(f"picked {select.values[0]}", ephemeral=True)


def card(text: str, seed: int, filename: str | None = None) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    box: ui.Container[Any] = ui.Container(ui.TextDisplay(text))
    if filename is not None:
        box.add_item(ui.MediaGallery(discord.MediaGalleryItem(f"attachment://{filename}")))
    row: ui.ActionRow[Any] = ui.ActionRow()
    row.add_item(Again(seed))
    box.add_item(row)
    view.add_item(box)
    return view


def picture(data: bytes = RED_PIXEL, name: str = "picture.png") -> discord.File:
    return discord.File(io.BytesIO(data), filename=name)


class SampleBot(discord.Client):
    """Paints one red pixel for everybody, in the order of the real bot's steps."""

    def __init__(self, mistake: Mistake | None = None, **options: Any) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(intents=intents, guild_ready_timeout=0, **options)
        self.tree = app_commands.CommandTree(self)
        self.mistake = mistake
        # A mistake that needs a moment waits for this, so that a test can turn the clock.
        self.gate = asyncio.Event()
        self.at_gate = asyncio.Event()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.errors: asyncio.Queue[Exception] = asyncio.Queue()
        self._add_commands()

    async def setup_hook(self) -> None:
        if self.mistake is not Mistake.LOST_BUTTON:
            self.add_dynamic_items(Again)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py waits five seconds here before a second IDENTIFY; no test needs that."""

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.put_nowait(message.content)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Swallowed, as bots do: the stand-in has to know it all the same."""

    def _add_commands(self) -> None:
        tree = self.tree

        @tree.error
        async def swallow(
            interaction: discord.Interaction[Any], error: app_commands.AppCommandError
        ) -> None:
            del interaction
            self.errors.put_nowait(error)

        @tree.command(description="Paints a picture")
        @app_commands.allowed_installs(guilds=True, users=True)
        @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
        async def imagine(
            interaction: discord.Interaction[Any],
            prompt: str,
            image: discord.Attachment | None = None,
        ) -> None:
            await self.paint(interaction, prompt, image)

        @tree.command(description="Asks for more")
        async def describe(interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_modal(Describe())

        @tree.command(description="Picks a model")
        async def pick(interaction: discord.Interaction[Any]) -> None:
            view = ui.LayoutView(timeout=None)
            view.add_item(Picks())
            await interaction.response.send_message(view=view)

        @tree.command(description="Tells about a model")
        async def about(interaction: discord.Interaction[Any], model: str) -> None:
            await interaction.response.send_message(f"about {model}", ephemeral=True)

        @about.autocomplete("model")
        async def complete(
            interaction: discord.Interaction[Any], current: str
        ) -> list[app_commands.Choice[str]]:
            del interaction
            names = [name for name in ("small", "large") if name.startswith(current)]
            return [app_commands.Choice(name=name, value=name) for name in names]

        @tree.context_menu(name="Vary")
        async def vary(interaction: discord.Interaction[Any], message: discord.Message) -> None:
            files = [await file.read() for file in message.attachments]
            await interaction.response.send_message(f"{message.content}: {len(files[0])} bytes")

    async def paint(
        self, interaction: discord.Interaction[Any], prompt: str, image: discord.Attachment | None
    ) -> None:
        response = interaction.response
        match self.mistake:
            case Mistake.NEVER:
                return
            case Mistake.LATE:
                self.at_gate.set()
                await self.gate.wait()
            case Mistake.PING:
                await response.send_message(prompt)
                return
            case Mistake.BESIDE_V2:
                await response.send_message("beside")
                await interaction.edit_original_response(view=card("v2", 1))
                return
            case _:
                pass
        await response.defer(thinking=True)
        match self.mistake:
            case Mistake.TWICE:
                # discord.py itself refuses a second answer; two tasks of a bot can still race.
                await self._callback_again(interaction)
            case Mistake.LEAK:
                await interaction.followup.send("only for you", ephemeral=True)
                return
            case Mistake.UNKNOWN_KEY:
                await self._raw_edit(interaction, {"contents": prompt})
                return
            case Mistake.WRONG_ID:
                await self._raw_edit(interaction, {"attachments": [{"id": 7}]}, RED_PIXEL)
                return
            case Mistake.OPTIONS:
                await self._raw_edit(interaction, {"components": [_too_many_options()]})
                return
            case _:
                pass
        name = "picture.jpg" if self.mistake is Mistake.WRONG_NAME else "picture.png"
        data = RED_PIXEL if image is None else await image.read()
        if self.mistake is Mistake.HUGE:
            data = bytes(11 * 1024 * 1024)
        text = f"{prompt} ({len(data)} bytes)"
        await interaction.edit_original_response(
            view=card(text, 1, name), attachments=[picture(data)]
        )
        if self.mistake is Mistake.DOUBLED:
            await interaction.followup.send(view=card(text, 1, name), file=picture(data))

    async def _callback_again(self, interaction: discord.Interaction[Any]) -> None:
        route = Route(
            "POST",
            "/interactions/{webhook_id}/{webhook_token}/callback",
            webhook_id=interaction.id,
            webhook_token=interaction.token,
        )
        await self.http.request(route, json={"type": 5})

    async def _raw_edit(
        self, interaction: discord.Interaction[Any], body: dict[str, Any], data: bytes | None = None
    ) -> None:
        """An edit past discord.py's own care, as a hand-written client would send it."""
        route = Route(
            "PATCH",
            "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
            webhook_id=interaction.application_id,
            webhook_token=interaction.token,
        )
        if data is None:
            await self.http.request(route, json=body)
            return
        form = [
            {"name": "payload_json", "value": discord.utils._to_json(body)},  # pyright: ignore
            {"name": "files[0]", "value": data, "filename": "picture.png"},
        ]
        await self.http.request(route, form=form)


def _too_many_options() -> dict[str, Any]:
    options = [{"label": str(number), "value": str(number)} for number in range(26)]
    return {"type": 1, "components": [{"type": 3, "custom_id": "many", "options": options}]}
