"""/quota: what one may spend, and for who manages the server: rules, grants, resets, usage, log.

Everybody may use `show` about themselves, so Discord, which knows permissions by whole commands
only, offers the group to all; whatever else is done here asks `require_admin` first. What is
written is read by `quota_options` and `moments`; how answers look is `cards.quota*`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from ...storage.quota_rules import Scope
from ...storage.windows import Window, zone_named
from .. import moments
from .. import quota_suggestions as suggestions
from ..cards import quota as cards
from ..cards import quota_form, quota_words
from ..cards.audit_page import Part, newest_page
from ..cards.modals import filled, submitted
from ..cards.quota_reset import question
from ..cards.quota_usage import show_usage
from ..commission import acknowledge, member_of, require_admin
from ..errors import RefusedError
from ..notes import NO_MENTIONS, answered, note
from ..pricing import CREDIT
from ..quota_options import MAX_CREDITS, MAX_HOURS, Wish
from ..usage_report import MAX_DAYS, Asked, By

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from discord import ui

    from ...storage.quota_account import Account
    from ...storage.quota_records import Rule
    from ..delivery import Delivery
    from ..studio import Studio

Person = discord.Member | discord.User
"""Not a member any more, perhaps."""

_MOST = float(MAX_CREDITS)

_Choices = list[app_commands.Choice[str]]
_Interaction = discord.Interaction[Any]


class Quota(commands.Cog):
    """The /quota group, its suggestions, and the form of a rule."""

    quota = app_commands.Group(
        name="quota",
        description="How much may be painted.",
        allowed_contexts=app_commands.AppCommandContext(guild=True),
        allowed_installs=app_commands.AppInstallationType(guild=True),
    )

    def __init__(self, bot: commands.Bot, studio: Studio, delivery: Delivery) -> None:
        del bot, delivery
        self._studio = studio
        self._storage = studio.storage

    # What is there

    @quota.command(name="show", description="What you may still paint, and when there is more.")
    @app_commands.describe(member="Somebody else: for admins")
    async def show(self, interaction: _Interaction, member: Person | None = None) -> None:
        await answered(interaction, self._show(interaction, member))

    async def _show(self, interaction: _Interaction, member: Person | None) -> None:
        if not interaction.guild_id:
            raise RefusedError("This belongs to a server: use it in one.")
        is_own = member is None or member.id == interaction.user.id
        if not is_own:
            require_admin(interaction)
        await acknowledge(interaction, is_private=True)
        whose = interaction.user if member is None or is_own else member
        view = cards.account_card(
            await self._account(interaction, whose),
            user_id=whose.id,
            guild_id=interaction.guild_id,
            is_own=is_own,
            is_gone=not isinstance(whose, discord.Member),
        )
        await _say(interaction, view)

    @quota.command(name="rules", description="Admins: every rule of this server.")
    async def rules(self, interaction: _Interaction) -> None:
        await answered(interaction, self._rules(interaction))

    async def _rules(self, interaction: _Interaction) -> None:
        guild_id = _managed(interaction)
        await acknowledge(interaction, is_private=True)
        found = await self._storage.rules.of_guild(guild_id)
        await _say(interaction, cards.rules_card(found, self._storage.quotas.bot_rule, guild_id))

    @quota.command(name="usage", description="Admins: who used how much.")
    @app_commands.describe(
        by="By member, by role, or day by day",
        days="How many days, today included",
        member="Only this one's, day by day",
    )
    @app_commands.choices(
        by=[
            app_commands.Choice(name="member", value=By.USER.value),
            app_commands.Choice(name="role", value=By.ROLE.value),
            app_commands.Choice(name="day", value=By.DAY.value),
        ]
    )
    async def usage(
        self,
        interaction: _Interaction,
        by: str | None = None,
        days: app_commands.Range[int, 1, MAX_DAYS] = 7,
        member: Person | None = None,
    ) -> None:
        await answered(interaction, self._usage(interaction, by, days, member))

    async def _usage(
        self, interaction: _Interaction, by: str | None, days: int, member: Person | None
    ) -> None:
        guild_id = _managed(interaction)
        if member is not None and by not in (None, By.DAY):
            raise RefusedError("One member's use is told day by day: leave out the other choice.")
        user_id = 0 if member is None else member.id
        await acknowledge(interaction, is_private=True)
        asked = Asked(By.DAY if user_id else By(by or By.USER), days, user_id)
        await show_usage(interaction, self._storage, guild_id, asked)

    @quota.command(
        name="log", description="Admins: who changed which quota, and how it was before."
    )
    async def log(self, interaction: _Interaction) -> None:
        await answered(interaction, self._log(interaction))

    async def _log(self, interaction: _Interaction) -> None:
        guild_id = _managed(interaction)
        await acknowledge(interaction, is_private=True)
        await _say(interaction, await newest_page(self._storage.audit, guild_id, Part.QUOTA))

    # What is changed

    @quota.command(name="set", description="Admins: how much somebody may spend.")
    @app_commands.describe(
        member="For one member",
        role="For who has a role; of several, the one that leaves most counts",
        scope="For everybody without a rule of their own, or for all together",
        amount="Credits: 1 is a picture at usual settings. Nothing at all: a form opens",
        window="How often there are so many; a day begins at the server's midnight",
        hours="Of a rolling window: so many hours back from every moment",
        at_once="Jobs of one member that wait or run at once",
        size="The largest picture, such as 512 or 512x768",
        pictures="Pictures of one job",
        reason="For the log",
        remove="Takes the rule away, so that the next one counts",
    )
    @app_commands.choices(
        scope=[
            app_commands.Choice(name="everybody's default", value=Scope.DEFAULT.value),
            app_commands.Choice(name="the whole server's budget", value=Scope.BUDGET.value),
        ],
        window=[
            app_commands.Choice(name="an hour", value=Window.HOUR.value),
            app_commands.Choice(name="a day", value=Window.DAY.value),
            app_commands.Choice(name="a week", value=Window.WEEK.value),
            app_commands.Choice(name="a month", value=Window.MONTH.value),
            app_commands.Choice(name="rolling: say how many hours", value=Window.ROLLING.value),
        ],
    )
    async def set_rule(
        self,
        interaction: _Interaction,
        member: Person | None = None,
        role: discord.Role | None = None,
        scope: str | None = None,
        amount: app_commands.Range[str, 1, 30] | None = None,
        window: str | None = None,
        hours: app_commands.Range[float, 0.01, MAX_HOURS] | None = None,
        at_once: app_commands.Range[str, 1, 30] | None = None,
        size: app_commands.Range[str, 1, 30] | None = None,
        pictures: app_commands.Range[str, 1, 30] | None = None,
        reason: app_commands.Range[str, 1, 200] | None = None,
        remove: bool = False,
    ) -> None:
        wish = Wish(
            amount or "",
            Window(window) if window else None,
            hours,
            at_once or "",
            size or "",
            pictures or "",
        )
        await answered(
            interaction,
            self._set(interaction, member, role, scope, wish, reason or "", remove=remove),
        )

    async def _set(
        self,
        interaction: _Interaction,
        member: Person | None,
        role: discord.Role | None,
        scope: str | None,
        wish: Wish,
        reason: str,
        *,
        remove: bool,
    ) -> None:
        guild_id = _managed(interaction)
        whose, subject_id = _subject(member, role, scope)
        if not remove and wish.is_empty and reason:
            raise RefusedError("A reason goes with what is set: say an amount too, or neither.")
        if not remove and wish.is_empty:
            # The form is the acknowledgement, and shows the rule: the one read before it.
            rule = await self._storage.rules.find(guild_id, whose, subject_id)
            await interaction.response.send_modal(quota_form.QuotaForm(whose, subject_id, rule))
            return
        if remove and not wish.is_empty:
            raise RefusedError("Either take the rule away or say what it should be, not both.")
        await self._change(interaction, whose, subject_id, None if remove else wish, reason, member)

    async def _change(
        self,
        interaction: _Interaction,
        whose: Scope,
        subject_id: int,
        wish: Wish | None,
        reason: str,
        member: Person | None = None,
    ) -> None:
        guild_id = _managed(interaction)
        if wish is not None:
            wish.check()
            if whose is Scope.BUDGET and wish.has_caps:
                raise RefusedError("A budget is an amount: the other limits are each member's.")

        def change(before: Rule | None) -> Rule | None:
            return None if wish is None else wish.apply(before)

        await acknowledge(interaction, is_private=True)
        changed = await self._storage.rules.change(
            guild_id, whose, subject_id, change, by=interaction.user.id, reason=reason
        )
        left = None if member is None else await self._account(interaction, member)
        whom = quota_words.whom(whose, subject_id, guild_id)
        await _say(interaction, cards.changed_card(whom[0].upper() + whom[1:], changed, left=left))

    @quota.command(name="grant", description="Admins: gives somebody credits beside the rules.")
    @app_commands.describe(
        member="Who gets them",
        amount="Credits: 1 is a picture at usual settings",
        reason="They see it too",
        expiry="7d, 12h, or 2026-12-01 (the end of that day by the server's clock); empty: never",
    )
    async def grant(
        self,
        interaction: _Interaction,
        member: Person,
        amount: app_commands.Range[float, 0.01, _MOST],
        reason: app_commands.Range[str, 1, 200] | None = None,
        expiry: app_commands.Range[str, 1, 40] | None = None,
    ) -> None:
        await answered(
            interaction, self._grant(interaction, member, amount, reason or "", expiry or "")
        )

    async def _grant(
        self, interaction: _Interaction, member: Person, amount: float, reason: str, expiry: str
    ) -> None:
        guild_id = _managed(interaction)
        if member.bot:
            raise RefusedError("A bot asks for no pictures: choose a person.")
        await acknowledge(interaction, is_private=True)
        zone = zone_named((await self._storage.guilds.settings(guild_id)).time_zone)
        expires_at = moments.moment(expiry, interaction.created_at.timestamp(), zone)
        milli = round(amount * CREDIT)
        await self._storage.rules.grant(
            guild_id,
            member.id,
            milli,
            by=interaction.user.id,
            reason=reason,
            expires_at=expires_at,
        )
        account = await self._account(interaction, member)
        given = cards.granted_text(milli, expires_at)
        has = cards.lower_left(account)
        await _say(
            interaction, note(f"{quota_words.person(member.id)} got {given}, and has {has} now.")
        )

    @quota.command(name="reset", description="Admins: what was used until now no longer counts.")
    @app_commands.describe(
        member="Whose use; without anybody, everybody's, and you are asked first",
        reason="For the log",
    )
    async def reset(
        self,
        interaction: _Interaction,
        member: Person | None = None,
        reason: app_commands.Range[str, 1, 200] | None = None,
    ) -> None:
        await answered(interaction, self._reset(interaction, member, reason or ""))

    async def _reset(self, interaction: _Interaction, member: Person | None, reason: str) -> None:
        guild_id = _managed(interaction)
        await acknowledge(interaction, is_private=True)
        if member is None:
            await _say(interaction, question(interaction.user.id, reason))
            return
        await self._storage.rules.reset(guild_id, member.id, by=interaction.user.id, reason=reason)
        has = cards.lower_left(await self._account(interaction, member))
        who = quota_words.person(member.id)
        await _say(interaction, note(f"The quota of {who} starts anew: they have {has} now."))

    # The form

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        match = submitted(interaction, quota_form.MODAL)
        if match is not None:
            await answered(interaction, self._from_form(interaction, match))

    async def _from_form(self, interaction: discord.Interaction, match: re.Match[str]) -> None:
        _managed(interaction)
        whose, subject_id = Scope(match["scope"]), int(match["subject"])
        if (whose in (Scope.ROLE, Scope.USER)) != (0 < subject_id < 2**63):
            raise RefusedError("This form is from another version of me: open it again.")
        wish = quota_form.wished(filled(interaction))
        await self._change(interaction, whose, subject_id, wish, "")

    # Suggestions: who may set nothing needs none

    @set_rule.autocomplete("amount")
    async def _amounts(self, interaction: _Interaction, current: str) -> _Choices:
        return _offered(interaction, suggestions.amounts(current))

    @set_rule.autocomplete("at_once")
    async def _counts(self, interaction: _Interaction, current: str) -> _Choices:
        return _offered(interaction, suggestions.counts(current, "job"))

    @set_rule.autocomplete("size")
    async def _sizes(self, interaction: _Interaction, current: str) -> _Choices:
        sides = [checkpoint.size_px for checkpoint in self._studio.checkpoints.values()]
        return _offered(interaction, suggestions.sizes(current, sides))

    @set_rule.autocomplete("pictures")
    async def _pictures(self, interaction: _Interaction, current: str) -> _Choices:
        return _offered(interaction, suggestions.counts(current, "picture"))

    @grant.autocomplete("expiry")
    async def _expiries(self, interaction: _Interaction, current: str) -> _Choices:
        if not _is_managed(interaction):
            return []
        zone_name = (await self._storage.guilds.settings(interaction.guild_id or 0)).time_zone
        now = interaction.created_at.timestamp()
        return _offered(interaction, suggestions.expiries(current, now, zone_name))

    async def _account(self, interaction: _Interaction, member: Person) -> Account:
        roles: Sequence[discord.Role] = member.roles if isinstance(member, discord.Member) else ()
        # Of the one who asks, as every painting counts it.
        role_ids = (
            member_of(interaction).role_ids
            if member.id == interaction.user.id
            else tuple(role.id for role in roles)
        )
        return await self._storage.quotas.account(interaction.guild_id or 0, member.id, role_ids)


def _managed(interaction: discord.Interaction) -> int:
    """The server that this person manages. Raises `RefusedError`."""
    require_admin(interaction)
    return interaction.guild_id or 0


def _is_managed(interaction: discord.Interaction) -> bool:
    try:
        require_admin(interaction)
    except RefusedError:
        return False
    return True


def _subject(
    member: Person | None, role: discord.Role | None, scope: str | None
) -> tuple[Scope, int]:
    """Whom a rule is for: exactly one may be named. Raises `RefusedError`."""
    if sum((member is not None, role is not None, scope is not None)) != 1:
        raise RefusedError("Say whom it is for: a member, a role, or a scope, one of them.")
    if member is not None:
        if member.bot:
            raise RefusedError("A bot asks for no pictures: choose a person.")
        return Scope.USER, member.id
    if role is not None:
        # Everyone's role is everybody, which has a name of its own here.
        return (Scope.DEFAULT, 0) if role.is_default() else (Scope.ROLE, role.id)
    return Scope(scope), 0


def _offered(interaction: discord.Interaction, offers: Sequence[tuple[str, str]]) -> _Choices:
    if not _is_managed(interaction):
        return []
    return [app_commands.Choice(name=name, value=value) for name, value in offers]


async def _say(interaction: discord.Interaction, view: ui.LayoutView) -> None:
    await interaction.edit_original_response(view=view, allowed_mentions=NO_MENTIONS)
