"""What a member may spend, and what came of a change, for the one who asked. Pure.

The figures are storage's `Account`; the commands are `cogs.quota`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord import ui

from ...storage.quota_account import Rank
from ...storage.quota_records import NO_CAP
from ..pricing import credits_text, left_text
from ..prompts import escape, shorten
from . import quota_words as words
from .text import small

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...storage.quota_account import Account, Share, Source
    from ...storage.quota_records import Grant, Rule
    from ...storage.quota_rules import Changed, SetRule

_BAR_LENGTH = 12
_MAX_GRANTS = 6
_MAX_RULES = 30
_REASON_LENGTH = 80
_MAX_TEXT = 3500


def account_card(
    account: Account, *, user_id: int, guild_id: int, is_own: bool, is_gone: bool = False
) -> ui.LayoutView:
    """What is left, why, and when there is more; short lines, for a phone."""
    title = "### Your quota" if is_own else f"### Quota of {words.person(user_id)}"
    head = [title, f"**{_left(account)}**", *_allowance(account, guild_id)]
    if is_gone:
        head.append(small("No member here now: what their roles gave is not counted."))
    parts = ["\n".join(head)]
    if account.grants:
        parts.append("\n".join(_grants(account.grants)))
    if account.budget is not None:
        parts.append("\n".join(["**The whole server's budget**", *_share(account.budget)]))
    if caps := list(_caps(account, guild_id)):
        parts.append("\n".join(["**At most**", *caps]))
    elif account.num_unfinished:
        parts.append(_under_way(account.num_unfinished))
    parts.append(small("1 credit: a picture at usual settings"))
    return _card(parts)


def changed_card(whom: str, changed: Changed, *, left: Account | None = None) -> ui.LayoutView:
    """A rule said back in words, and what it was before."""
    if changed.before == changed.after:
        said = [f"{whom}: nothing changed.", f"**{words.rule(changed.after)}**"]
    elif changed.after is None:
        said = [f"{whom}: the rule is gone.", small(f"It was: {words.rule(changed.before)}")]
    else:
        said = [f"{whom} from now on:", f"**{words.rule(changed.after)}**"]
        said.append(small(f"Before: {words.rule(changed.before)}"))
    if left is not None:
        said.append(f"They have {lower_left(left)}.")
    return _card(["\n".join(said)])


def rules_card(rules: Sequence[SetRule], bot_rule: Rule, guild_id: int) -> ui.LayoutView:
    """Every rule of a server, those for everybody first, and what counts where there is none."""
    order = ("budget", "default", "role", "user")
    lines = ["### Quota rules"]
    length, num_shown = 0, 0
    for each in sorted(rules, key=lambda one: order.index(one.scope.value)):
        whom = words.whom(each.scope, each.subject_id, guild_id)
        line = f"{whom}\n{small(words.rule(each.rule))}"
        length += len(line)
        if num_shown == _MAX_RULES or length > _MAX_TEXT:
            break
        lines.append(line)
        num_shown += 1
    if num_shown < len(rules):
        lines.append(small(f"and {len(rules) - num_shown} more: /quota show tells one member's"))
    if not rules:
        lines.append("This server set none.")
    usual = words.rule(bot_rule) if bot_rule.allowance is not None else "unlimited credits"
    lines.append(small(f"Where none speaks: {usual}"))
    return _card(["\n".join(lines)])


def lower_left(account: Account) -> str:
    """`7.5 credits left`, within a sentence."""
    return "unlimited credits" if account.left is None else f"{left_text(account.left)} left"


def _left(account: Account) -> str:
    said = lower_left(account)
    return said[0].upper() + said[1:]


def _allowance(account: Account, guild_id: int) -> Iterator[str]:
    share = account.share
    if share is None:
        yield small("Nobody set a limit.")
        return
    if share.left is not None:
        yield from _share(share)
        if account.left is not None and account.budget is not None:
            granted = sum(grant.left for grant in account.grants)
            if account.left < share.left + granted:
                yield small("The server's budget leaves no more.")
    yield small(_source(share.source, account.num_shares, guild_id))


def _share(share: Share) -> Iterator[str]:
    """Of an allowance or a budget: how much is left of how much, and when there is more."""
    amount, left = share.allowance.amount, share.left
    if amount is None or left is None:
        yield "unlimited credits"
        return
    filled = min(_BAR_LENGTH, left * _BAR_LENGTH // amount) if amount else 0
    yield "▰" * filled + "▱" * (_BAR_LENGTH - filled)
    yield f"{left_text(left).partition(' ')[0]} of {words.allowance(share.allowance)}"
    if share.full_at is not None and share.full_at == share.more_at:
        yield f"All of it again {_moment(share.full_at)}"
        return
    if share.more_at is not None:
        yield f"More {_moment(share.more_at)}"
    if share.full_at is not None:
        yield f"All of it {_moment(share.full_at)}"


def _grants(grants: Sequence[Grant]) -> Iterator[str]:
    yield "**Granted beside that**"
    for grant in grants[:_MAX_GRANTS]:
        # Short enough for one line on a phone.
        until = f", ends <t:{int(grant.expires_at)}:R>" if grant.expires_at else " for good"
        yield f"{left_text(grant.left)}{until}"
        if grant.reason:
            reason = " ".join(grant.reason.split())
            yield small(f"“{escape(shorten(reason, _REASON_LENGTH))}”")
    if len(grants) > _MAX_GRANTS:
        left = sum(grant.left for grant in grants[_MAX_GRANTS:])
        yield small(f"and {len(grants) - _MAX_GRANTS} more with {left_text(left)}")


def _caps(account: Account, guild_id: int) -> Iterator[str]:
    for cap, say in (
        (account.max_unfinished, words.at_once),
        (account.max_pixels, words.size),
        (account.max_pictures, words.pictures),
    ):
        if cap.most >= NO_CAP:
            continue
        said = say(cap.most)
        if cap is account.max_unfinished:
            said += f", {account.num_unfinished} now"
        of = "" if account.share and cap.source == account.share.source else cap.source
        yield said + (f"\n{small(_source(of, 1, guild_id))}" if of else "")


def _under_way(num_unfinished: int) -> str:
    return "1 job under way" if num_unfinished == 1 else f"{num_unfinished} jobs under way"


def _source(source: Source | None, num_alike: int, guild_id: int) -> str:
    """Which rule says so."""
    match source.rank if source is not None else None:
        case Rank.USER:
            return "by a rule for this member"
        case Rank.ROLE:
            assert source is not None
            best = f", the best of {num_alike} roles" if num_alike > 1 else ""
            return f"by the role {words.role(source.role_id, guild_id)}{best}"
        case Rank.DEFAULT:
            return "by this server's default"
        case _:
            return "by the bot's own rule"


def _moment(at: float) -> str:
    # Discord counts whole seconds: one too early would be refused once more.
    return f"<t:{int(at) + 1}:R>"


def granted_text(amount: int, expires_at: float | None) -> str:
    """What a grant gives, said back."""
    until = f"until <t:{int(expires_at)}:f>" if expires_at is not None else "for good"
    return f"{credits_text(amount)} {until}"


def _card(parts: Sequence[str]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    container = ui.Container[ui.LayoutView]()
    for place, part in enumerate(parts):
        if place:
            container.add_item(ui.Separator())
        container.add_item(ui.TextDisplay(part))
    view.add_item(container)
    return view
