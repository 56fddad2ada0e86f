"""What is kept about somebody, why and how long, in plain words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..storage.guild_records import GuildSettings
    from .settings import Settings


def about(settings: Settings, guild: GuildSettings | None) -> str:
    """For whoever asks; `guild`: what the server that they ask in has set."""
    lines = [
        "### What I keep about you",
        "- **What you ask for:** prompt, settings, the place, and when. It makes *Paint again* and"
        " *Remix* work.",
        f"- **Your pictures** {_pictures(settings, guild)}",
        "- **Pictures you attach** stay as long as what was made of them, or a day.",
        "- **Credits you used:** 31 days under your name, for the limits; then under nobody's.",
        "- **What is set for you:** limits, gifts of credits, bans, and who changed them.",
        f"- **Blocked pictures:** {_blocked(settings)}",
        "### What I don't",
        "Messages that are not for me, and your interactions' keys once they are used. Prompts"
        f" {'are' if settings.logging.prompts else 'are not'} written to the log.",
        "### Yours",
        "`/limner privacy export` hands you all of it, `/limner privacy delete` deletes it. After a"
        " deletion bans, limits and the last 31 days' use stay under a number that is not yours"
        " any more, so that deleting lifts none of them. Backups keep what they hold. Cards in"
        " channels are Discord's: their *Delete* button takes them away.",
    ]
    return "\n".join(lines)


def _pictures(settings: Settings, guild: GuildSettings | None) -> str:
    days = [d for d in (settings.storage.keep_days, guild.pictures_days if guild else None) if d]
    said = f"are deleted after {_days(min(days))}" if days else "stay until you delete them"
    if settings.storage.keep_gib:
        said += ", or when room is needed, the oldest first"
    return said + (", favourites excepted." if days or settings.storage.keep_gib else ".")


def _blocked(settings: Settings) -> str:
    if settings.safety.checker == "none":
        return "none, for nobody judges pictures here."
    return "a number that stands for the picture, and the verdict; never the picture."


def _days(days: float) -> str:
    return "1 day" if days == 1 else f"{days:g} days"
