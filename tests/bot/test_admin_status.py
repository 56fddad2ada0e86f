"""What an admin may know fits one message, and counts what holds now."""

from __future__ import annotations

from discord import ui

from limner.bot.cards import admin_status
from limner.bot.findings import Finding, State
from limner.bot.guild_rules import Rules
from limner.pipelines.serving.state import PoolState
from limner.storage.guild_records import Ban


def text_of(view: ui.LayoutView) -> str:
    return "\n".join(
        each.content for each in view.walk_children() if isinstance(each, ui.TextDisplay)
    )


def test_many_findings_fit_a_message_and_what_is_wrong_is_seen() -> None:
    found = [Finding(f"model m{number}", State.WELL, "well " * 40) for number in range(60)]
    found.append(Finding("model last", State.WRONG, "is broken."))
    text = text_of(admin_status.findings(found))
    assert len(text) < 4000
    assert "❌ **model last**" in text
    num_shown = text.count("✅")
    assert text.endswith(f"and {60 - num_shown} more")


def test_a_ban_that_has_ended_is_not_counted() -> None:
    bans = {1: Ban(1, "", 9, 0.0, 50.0), 2: Ban(2, "", 9, 0.0, 150.0), 3: Ban(3, "", 9, 0.0, None)}
    view = admin_status.status(PoolState((), 0, 0, 0.0, False, 0), Rules(bans=bans), {}, 100.0)
    assert "2 bans" in text_of(view)
