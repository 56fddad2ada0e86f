"""What an action in the page waits for: the bot's answer, but neither its life nor its painting.

simcord takes an action as answered when nothing runs any more that descends from the bot: no task,
no timer; it tells them by the context in which they were made. A test wants that. A bot that paints
for a minute, and meanwhile takes a press of "Cancel", wants less. Whom it is done to is `demo`'s.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from discord.ext import commands


def be_patient_with(bot: commands.Bot) -> None:
    """Has what the bot opens while it is set up, and what it leaves running, not waited for."""
    hook = bot.setup_hook

    async def set_up() -> None:
        _narrow(asyncio.get_running_loop())
        await Context().run(asyncio.ensure_future, hook())

    bot.setup_hook = set_up  # pyright: ignore[reportAttributeAccessIssue]


def _narrow(loop: asyncio.AbstractEventLoop) -> None:
    """Frees timers, and tasks with a context of their own. simcord's own loop methods, and with
    them these, go when the bot is detached."""
    create_task, call_at = loop.create_task, loop.call_at

    def create(
        work: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        if context is None:
            return create_task(work, name=name)
        return context.copy().run(create_task, work, name=name)

    def later(
        delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        inside = context or copy_context()

        def wake(*args: Any) -> None:
            inside.run(callback, *args)

        # By this simcord knows a mere sleep, which it does not wait for when it is a long one.
        vars(wake)["__simcord_original_callback__"] = callback
        # Outside the bot's scope the loop's time is the machine's.
        return Context().run(lambda: call_at(loop.time() + delay, wake, *args))

    def at(
        when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        # In it, and so for `when`, it is the simulation's.
        return later(max(when - loop.time(), 0), callback, *args, context=context)

    vars(loop).update(create_task=create, call_later=later, call_at=at)
