"""/limner admin: how painting goes in a server, for who manages it.

Discord knows permissions by whole commands only, and `/limner queue` is everybody's, so each use
asks `require_admin` by itself. Changing is `administration`'s, how it looks is `cards.admin_*`'s.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from ...storage.guild_records import NsfwPolicy, Permission, Subject
from ...storage.windows import zone_named
from ..cards import admin_lists, admin_panel, admin_status, blocklist_form
from ..cards.audit_page import Part, newest_page
from ..cards.modals import submitted
from ..checks import Checks
from ..commission import acknowledge, require_admin
from ..errors import RefusedError
from ..moments import moment
from ..notes import NO_MENTIONS, answered, tell
from ..quota_suggestions import expiries
from ..time_zones import suggested
from .queue import UnderLimner

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord import ui

    from ...storage.guild_records import GuildSettings
    from ..delivery import Delivery
    from ..studio import Studio

Person = discord.Member | discord.User
"""Not a member any more, perhaps."""
Place = app_commands.AppCommandChannel | app_commands.AppCommandThread

_Choices = list[app_commands.Choice[str]]
_Interaction = discord.Interaction[Any]
_DEEDS = [
    app_commands.Choice(name="allow", value="allow"),
    app_commands.Choice(name="deny", value="deny"),
    app_commands.Choice(name="clear", value="clear"),
]


class AdminGroup(app_commands.Group, name="admin", description="For who manages this server."):
    """The subcommands. Discord takes 25, and 8,000 characters of the whole /limner."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._checks = Checks(studio)

    # How it goes

    @app_commands.command(description="Everything that is set here, to look at and change.")
    async def settings(self, interaction: _Interaction) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            rules = await self._studio.rules.of(office.guild_id)
            await _show(interaction, admin_panel.panel(rules.settings))

        await answered(interaction, work())

    @app_commands.command(description="Nothing new is painted here; what waits already is.")
    @app_commands.describe(message="What members are told")
    async def pause(
        self,
        interaction: _Interaction,
        message: app_commands.Range[str, 1, admin_panel.MAX_MESSAGE] | None = None,
    ) -> None:
        await self._set(
            interaction,
            admin_panel.paused(message or ""),
            "Painting is paused here. What was asked for before is still painted; admins can go"
            " on, to try it out.",
        )

    @app_commands.command(description="Painting goes on.")
    async def resume(self, interaction: _Interaction) -> None:
        await self._set(
            interaction,
            lambda old: replace(old, is_paused=False, pause_message=""),
            "Painting goes on.",
        )

    @app_commands.command(
        name="nsfw", description="What becomes of pictures that the checker finds unsafe."
    )
    @app_commands.choices(
        policy=[
            app_commands.Choice(name=f"{label}: {hint.lower()}", value=policy.value)
            for policy, (label, hint) in admin_panel.NSFW.items()
        ]
    )
    async def unsafe(self, interaction: _Interaction, policy: str) -> None:
        chosen = NsfwPolicy(policy)
        label, hint = admin_panel.NSFW[chosen]
        await self._set(
            interaction,
            lambda old: replace(old, nsfw_policy=chosen),
            f"Unsafe pictures: {label.lower()}. {hint}.",
        )

    @app_commands.command(description="How long pictures are kept.")
    @app_commands.describe(days="1 or more; 0: as the bot's owner keeps them; favourites stay")
    async def retention(
        self,
        interaction: _Interaction,
        days: app_commands.Range[float, 0.0, float(admin_panel.MAX_DAYS)],
    ) -> None:
        await self._set(
            interaction,
            admin_panel.keeping(days or None),
            f"Pictures are kept {admin_panel.kept(days or None)}; favourites stay.",
        )

    @app_commands.command(description="Whether what gave no picture costs credits.")
    @app_commands.describe(what="What ended without a picture", charge="Whether it costs credits")
    @app_commands.choices(
        what=[
            app_commands.Choice(name="cancelled while painting", value="cancelled"),
            app_commands.Choice(name="blocked by the checker", value="blocked"),
        ]
    )
    async def settles(self, interaction: _Interaction, what: str, charge: bool) -> None:
        switch = admin_panel.Switch(what)
        costs = "costs what was used" if charge else "is free"
        which = "cancelled" if switch is admin_panel.Switch.CANCELLED else "blocked by the checker"
        await self._set(
            interaction,
            lambda old: admin_panel.switched(old, switch, charge),
            f"What is {which} {costs}.",
        )

    @app_commands.command(description="The time zone by whose midnight days begin here.")
    @app_commands.describe(name="Such as Europe/Vienna")
    async def timezone(self, interaction: _Interaction, name: str) -> None:
        await self._set(interaction, admin_panel.in_zone(name), f"Days begin in {name.strip()}.")

    @timezone.autocomplete("name")
    async def _zones(self, interaction: _Interaction, current: str) -> _Choices:
        return [app_commands.Choice(name=zone, value=zone) for zone in suggested(current)]

    # Where and by whom

    @app_commands.command(description="Where may be painted. Once one is allowed, only those are.")
    @app_commands.describe(channel="Or a category, with all in it", model="With this model only")
    @app_commands.choices(action=_DEEDS)
    async def channel(
        self, interaction: _Interaction, action: str, channel: Place, model: str | None = None
    ) -> None:
        permission = Permission(Subject.CHANNEL, channel.id, action == "allow", model or "")
        await self._permit(interaction, action, permission, f"<#{channel.id}>")

    @app_commands.command(description="Who may paint. Once one role is allowed, only those may.")
    @app_commands.describe(role="Whoever has it", model="With this model only")
    @app_commands.choices(action=_DEEDS)
    async def role(
        self,
        interaction: _Interaction,
        action: str,
        role: discord.Role,
        model: str | None = None,
    ) -> None:
        permission = Permission(Subject.ROLE, role.id, action == "allow", model or "")
        await self._permit(interaction, action, permission, f"<@&{role.id}>")

    @channel.autocomplete("model")
    @role.autocomplete("model")
    async def _models(self, interaction: _Interaction, current: str) -> _Choices:
        if not _is_admin(interaction):
            return []
        wanted = current.strip().casefold()
        hits = [name for name in self._studio.checkpoints if wanted in name.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in hits[:25]]

    @app_commands.command(description="The rules for channels and roles, to read and to clear.")
    async def rules(self, interaction: _Interaction) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            await _show(interaction, await admin_lists.permissions_card(office, interaction.guild))

        await answered(interaction, work())

    @app_commands.command(description="Somebody may not paint here any more.")
    @app_commands.describe(
        user="They stay in the server", until="7d, tomorrow, 2026-12-01; left out: for good"
    )
    async def ban(
        self,
        interaction: _Interaction,
        user: Person,
        until: str | None = None,
        reason: app_commands.Range[str, 1, 300] | None = None,
    ) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            rules = await self._studio.rules.of(office.guild_id)
            zone = zone_named(rules.settings.time_zone)
            at = moment(until or "", time.time(), zone)
            await office.ban(user.id, reason=reason or "", until=at)
            end = "for good" if at is None else f"until <t:{int(at)}:f>"
            await tell(
                interaction,
                f"<@{user.id}> may not paint here {end}; they are told when they try. What they"
                " asked for before is still painted.",
            )

        await answered(interaction, work())

    @ban.autocomplete("until")
    async def _untils(self, interaction: _Interaction, current: str) -> _Choices:
        try:
            office = admin_panel.office_of(interaction)
            rules = await self._studio.rules.of(office.guild_id)
        except RefusedError:
            return []
        offers = expiries(current, time.time(), rules.settings.time_zone)
        return [app_commands.Choice(name=name, value=value) for name, value in offers]

    @app_commands.command(description="Somebody may paint here again.")
    async def unban(self, interaction: _Interaction, user: Person) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            was_banned = await office.unban(user.id)
            may = "may paint here again" if was_banned else "was not banned"
            await tell(interaction, f"<@{user.id}> {may}.")

        await answered(interaction, work())

    @app_commands.command(description="Who may not paint here.")
    async def bans(self, interaction: _Interaction) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            await _show(interaction, await admin_lists.bans_card(office, interaction.guild))

        await answered(interaction, work())

    @app_commands.command(description="Words that prompts may not have here.")
    @app_commands.describe(entry="A word or phrase, an expression as /n[a4]ked/; a prompt to test")
    @app_commands.choices(
        action=[
            app_commands.Choice(name="add, or a form for many", value="add"),
            app_commands.Choice(name="remove", value="remove"),
            app_commands.Choice(name="list", value="list"),
            app_commands.Choice(name="test a prompt", value="test"),
            app_commands.Choice(name="use Limner's own list too", value="shipped"),
            app_commands.Choice(name="do without Limner's own list", value="unshipped"),
        ]
    )
    async def blocklist(
        self, interaction: _Interaction, action: str, entry: str | None = None
    ) -> None:
        await answered(interaction, blocklist_form.act(interaction, action, entry or ""))

    @blocklist.autocomplete("entry")
    async def _entries(self, interaction: _Interaction, current: str) -> _Choices:
        try:
            offers = await blocklist_form.offers(interaction, current)
        except RefusedError:
            return []
        return [app_commands.Choice(name=name, value=value) for name, value in offers]

    # How it stands

    @app_commands.command(description="Device, memory, ticks, queue, and how this server stands.")
    async def status(self, interaction: _Interaction) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            rules = await self._studio.rules.of(office.guild_id)
            slow = self._studio.rules.slow_in(office.guild_id)
            pool = self._studio.pool.state
            await _show(interaction, admin_status.status(pool, rules, slow, time.time()))

        await answered(interaction, work())

    @app_commands.command(description="Looks whether all that painting needs is well.")
    async def doctor(self, interaction: _Interaction) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            found = await self._checks.run(office.guild_id, interaction.app_permissions)
            await _show(interaction, admin_status.findings(found))

        await answered(interaction, work())

    @app_commands.command(description="Who changed what, and when.")
    async def log(self, interaction: _Interaction) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            audit = self._studio.storage.audit
            await _show(interaction, await newest_page(audit, office.guild_id, Part.ALL))

        await answered(interaction, work())

    async def _set(
        self,
        interaction: _Interaction,
        change: Callable[[GuildSettings], GuildSettings],
        sentence: str,
    ) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            await acknowledge(interaction, is_private=True)
            await office.set(change)
            await tell(interaction, sentence)

        await answered(interaction, work())

    async def _permit(
        self, interaction: _Interaction, action: str, permission: Permission, mention: str
    ) -> None:
        async def work() -> None:
            office = admin_panel.office_of(interaction)
            if permission.subject_id == office.guild_id:
                raise RefusedError(
                    "Everybody has that role: allow the roles that may paint, or use"
                    " /limner admin pause."
                )
            await acknowledge(interaction, is_private=True)
            which = f" with {permission.model}" if permission.model else ""
            if action == "clear":
                was_set = await office.clear(permission)
                said = "Cleared" if was_set else "There was nothing"
                await tell(interaction, f"{said}: painting{which}, {mention}.")
                return
            await office.permit(permission)
            deed = "allowed" if permission.is_allowed else "denied"
            await tell(interaction, f"Painting{which} is {deed}: {mention}.")

        await answered(interaction, work())


class Admin(UnderLimner):
    """Answers the forms of the group beside holding it."""

    def __init__(self, bot: commands.Bot, studio: Studio, delivery: Delivery) -> None:
        del delivery
        super().__init__(bot, AdminGroup(studio))

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if (match := submitted(interaction, admin_panel.MODAL)) is not None:
            await answered(interaction, admin_panel.answer(interaction, match))
        elif submitted(interaction, blocklist_form.MODAL) is not None:
            await answered(interaction, blocklist_form.answer(interaction))


def _is_admin(interaction: _Interaction) -> bool:
    """Suggestions tell something of a server, too."""
    try:
        require_admin(interaction)
    except RefusedError:
        return False
    return True


async def _show(interaction: _Interaction, view: ui.LayoutView) -> None:
    await interaction.edit_original_response(view=view, allowed_mentions=NO_MENTIONS)
