"""The look before the leap: what an inpainting would paint, tinted, with buttons that change it.

Everything a button needs stands in its custom id and in the draft that it names, so a restart
between the look and the leap loses nothing. The modal is answered by the cog.
"""

from __future__ import annotations

import asyncio
import io
import re
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from .. import masks
from ..commission import judge, place_many, require_own
from ..context import context_of
from ..drafts import Touch, load_draft
from ..errors import RefusedError
from ..fitting import Named
from ..notes import NO_MENTIONS, note
from ..pricing import credits_text
from ..sources import parent_of
from ..underlay import PROMISED, lay_part, sized
from . import source_fields, text
from .control import Control, Pressed
from .identity import FLAG, NUMBER, custom_id, template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from discord.ui.item import Item
    from PIL import Image

    from ..context import Context
    from ..drafts import Draft


OWN, POSTED, PICTURE, NEW = "own", "posted", "picture", "new"
"""A card of Limner's; anybody's message; one stored picture; a picture uploaded into the modal."""

MODAL = re.compile(
    template("inpaint", f"(?P<kind>{OWN}|{POSTED}|{PICTURE}|{NEW})", f"(?P<id>{NUMBER})")
)


class Deed(StrEnum):
    """What a button does; the values travel in messages, so they stay as they are."""

    PAINT = "paint"
    INVERT = "invert"
    GROW = "grow"
    SHRINK = "shrink"
    SOFTER = "soft"
    HARDER = "hard"
    CANCEL = "cancel"


_LABELS = {
    Deed.PAINT: ("Paint", "🖌️"),
    Deed.INVERT: ("Invert", "🔄"),
    Deed.GROW: ("Grow", "➕"),
    Deed.SHRINK: ("Shrink", "➖"),
    Deed.SOFTER: ("Softer edge", "🌫️"),
    Deed.HARDER: ("Harder edge", "🔳"),
    Deed.CANCEL: ("Never mind", None),
}


class MaskButton(
    Control[Pressed],
    template=template(
        "mask",
        f"(?P<deed>{'|'.join(Deed)})",
        "(?P<draft>[0-9a-f]{64})",
        f"(?P<inverted>{FLAG})",
        "(?P<grow>-?[0-9])",
        "(?P<feather>[0-9])",
    ),
):
    """One button of a preview: what it does, and the mask as the preview shows it."""

    def __init__(self, deed: Deed, draft: str, touch: Touch) -> None:
        self._deed = deed
        self._draft = draft
        self._touch = touch
        label, emoji = _LABELS[deed]
        is_main = deed is Deed.PAINT
        super().__init__(
            ui.Button(
                label=label,
                emoji=emoji,
                style=discord.ButtonStyle.primary if is_main else discord.ButtonStyle.secondary,
                custom_id=custom_id(
                    "mask", deed, draft, int(touch.is_inverted), touch.grow, touch.feather
                ),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        touch = Touch(match["inverted"] == "1", int(match["grow"]), int(match["feather"]))
        return cls(Deed(match["deed"]), match["draft"], touch)

    async def act(self, interaction: discord.Interaction) -> None:
        require_own(interaction)
        context = context_of(interaction.client)
        await interaction.response.defer()
        draft, picture, mask = await load_draft(context.studio, self._draft)
        if draft.owner_id != interaction.user.id:
            raise RefusedError(f"This is <@{draft.owner_id}>'s: begin your own with /inpaint.")
        match self._deed:
            case Deed.CANCEL:
                await interaction.delete_original_response()
            case Deed.PAINT:
                await self._paint(interaction, context, draft, picture, mask)
            case _:
                touch = touched(self._touch, self._deed)
                await show(interaction, context, self._draft, touch, (draft, picture, mask))

    async def _paint(
        self,
        interaction: discord.Interaction,
        context: Context,
        draft: Draft,
        picture: Image.Image,
        mask: Image.Image,
    ) -> None:
        message = interaction.message
        assert message is not None
        if not context.delivery.claim(message.id):
            raise RefusedError("This is being painted already.")
        try:
            await parent_of(interaction, context, draft.ask)
            shape = await asyncio.to_thread(self._touch.apply, mask)
            ask = await lay_part(context.studio, draft.ask, picture, shape)
            await judge(interaction, context, ask)
            _, refusal = await place_many(interaction, context, [ask])
            if refusal is not None:
                raise refusal
        except BaseException:
            # Nothing was taken: the mask can be mended, or the button pressed again later.
            context.delivery.disclaim(message.id)
            raise
        await interaction.edit_original_response(
            view=note("It is being painted."), attachments=[], allowed_mentions=NO_MENTIONS
        )


def touched(touch: Touch, deed: Deed) -> Touch:
    """What a button makes of the mask."""
    match deed:
        case Deed.INVERT:
            touch = replace(touch, is_inverted=not touch.is_inverted)
        case Deed.GROW:
            touch = replace(touch, grow=touch.grow + 1)
        case Deed.SHRINK:
            touch = replace(touch, grow=touch.grow - 1)
        case Deed.SOFTER:
            touch = replace(touch, feather=touch.feather + 1)
        case Deed.HARDER:
            touch = replace(touch, feather=touch.feather - 1)
        case Deed.PAINT | Deed.CANCEL:
            pass
    return touch.bounded()


async def show(
    interaction: discord.Interaction,
    context: Context,
    sha256: str,
    touch: Touch,
    loaded: tuple[Draft, Image.Image, Image.Image],
) -> None:
    """Puts the preview in place of what the interaction's message shows."""
    draft, picture, mask = loaded
    parent = await parent_of(interaction, context, draft.ask)
    shape = await asyncio.to_thread(touch.apply, mask)
    ask, refusal = replace(draft.ask, init_image=PROMISED, mask_image=PROMISED), ""
    try:
        ask = await asyncio.to_thread(sized, context.studio, ask, shape)
    except RefusedError as error:
        refusal = str(error)
    file = await asyncio.to_thread(_pictured, picture, shape)
    price = context.studio.price(await judge(interaction, context, ask))
    shown = Named("preview.webp", file)
    if parent is not None and parent.is_unsafe:
        shown = shown.veiled()
    view = preview(draft, sha256, touch, masks.coverage(shape), price, refusal, file=shown)
    await interaction.edit_original_response(
        view=view,
        attachments=[shown.file()],
        allowed_mentions=NO_MENTIONS,
    )


def preview(
    draft: Draft,
    sha256: str,
    touch: Touch,
    coverage: float,
    price: int,
    refusal: str = "",
    *,
    file: Named,
) -> ui.LayoutView:
    """The card; without its Paint button where the mask can't be painted."""
    gallery = ui.MediaGallery[ui.LayoutView]()
    gallery.add_item(
        media=f"attachment://{file.name}",
        description="What is tinted is painted anew",
        spoiler=file.is_spoiler,
    )
    said = [f"{_percent(coverage)} of the picture is painted", credits_text(price)]
    deeds = [Deed.INVERT, Deed.GROW, Deed.SHRINK, Deed.SOFTER, Deed.HARDER]
    last = [Deed.CANCEL] if refusal else [Deed.PAINT, Deed.CANCEL]
    words = refusal or (
        "What is tinted is painted anew; the rest comes back as it is, byte for byte."
        " In a mask, white paints and black keeps."
    )
    lines = [text.small(line) for line in (" · ".join(said), *draft.ask.notes)]
    view = ui.LayoutView(timeout=None)
    view.add_item(
        ui.Container(
            ui.TextDisplay(text.prompt(draft.ask)),
            gallery,
            ui.TextDisplay(words),
            ui.TextDisplay("\n".join(lines)),
            ui.ActionRow[Any](*(MaskButton(deed, sha256, touch) for deed in deeds)),
            ui.ActionRow[Any](*(MaskButton(deed, sha256, touch) for deed in last)),
        )
    )
    return view


class InpaintModal(ui.Modal, title="Inpaint"):
    """Which picture, what to paint in it, and where. Answered by custom id."""

    def __init__(
        self, kind: str, number: int = 0, labels: Sequence[str] = (), prompt: str = ""
    ) -> None:
        super().__init__(timeout=15 * 60, custom_id=custom_id("inpaint", kind, number))
        if kind == NEW:
            self.add_item(
                ui.Label(text="Picture", component=ui.FileUpload(custom_id="picture", max_values=1))
            )
        elif len(labels) > 1:
            self.add_item(source_fields.which(labels))
        self.add_item(source_fields.prompt(prompt, "What to paint there"))
        self.add_item(
            ui.Label(
                text="Where",
                description="left half · center · 10%,20%,50%,60% · a colour such as red",
                component=ui.TextInput(custom_id="area", max_length=200, required=False),
            )
        )
        self.add_item(
            ui.Label(
                text="Or a mask",
                description="A picture of the same shape: white is painted, black is kept",
                component=ui.FileUpload(custom_id="mask", required=False, max_values=1),
            )
        )


def _pictured(picture: Image.Image, shape: Image.Image) -> bytes:
    out = io.BytesIO()
    masks.overlay(picture, shape).save(out, "WEBP", quality=85)
    return out.getvalue()


def _percent(share: float) -> str:
    return "Less than 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")
