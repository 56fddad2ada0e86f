"""What a test holds after somebody used the bot: the answer, as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .changes import PATIENCE_S
from .entities import Acknowledgement, Interaction, Message

if TYPE_CHECKING:
    from .json_parts import Json
    from .world import World

T = TypeVar("T")
Predicate = Callable[[Message], object]


@dataclass(frozen=True, slots=True)
class Modal:
    """A form that somebody was shown; `Wire.submit` fills it in."""

    interaction: Interaction

    @property
    def form(self) -> Json:
        assert self.interaction.modal is not None
        return self.interaction.modal

    @property
    def title(self) -> str:
        return self.form["title"]


@dataclass(frozen=True, slots=True)
class Reply:
    """The bot's answer to one interaction. Every method waits for an event, none sleeps."""

    world: World
    interaction: Interaction

    async def acknowledged(self) -> Acknowledgement:
        return await self._until(lambda: self.interaction.acknowledged, "an acknowledgement")

    async def placeholder(self) -> Message:
        """The original answer as soon as there is one, thinking or not."""
        return await self._until(lambda: self.interaction.original, "an answer")

    async def message(
        self, where: Predicate | None = None, *, timeout_s: float = PATIENCE_S
    ) -> Message:
        """The original answer once it says something, and `where` is true of it."""

        def finished() -> Message | None:
            found = self.interaction.original
            if found is None or found.is_loading or found.is_deleted:
                return None
            return found if where is None or where(found) else None

        return await self._until(finished, "a finished answer", timeout_s)

    async def followup(self, where: Predicate | None = None) -> Message:
        """The first further message that `where` is true of."""

        def found() -> Message | None:
            for message in self.interaction.followups:
                if not message.is_deleted and (where is None or where(message)):
                    return message
            return None

        return await self._until(found, "a follow-up")

    async def deleted(self) -> None:
        """Until the original answer is gone."""

        def is_gone() -> bool:
            original = self.interaction.original
            return original is not None and original.is_deleted

        await self._until(is_gone, "the answer's deletion")

    async def modal(self) -> Modal:
        await self._until(lambda: self.interaction.modal, "a modal")
        return Modal(self.interaction)

    async def choices(self) -> list[Json]:
        """The suggestions; an empty list is an answer too."""
        await self._until(lambda: self.interaction.acknowledged, "suggestions")
        assert self.interaction.choices is not None, "answered with something else"
        return self.interaction.choices

    async def _until(
        self, probe: Callable[[], T | None], what: str, timeout_s: float = PATIENCE_S
    ) -> T:
        return await self.world.changes.until(probe, what, timeout_s, self._explain)

    def _explain(self) -> str:
        asked, original = self.interaction, self.interaction.original
        state = f"{asked.what()} is {asked.acknowledged or 'unanswered'}"
        if original is not None:
            state += f"; its message reads {original.text[:200]!r}, flags {original.flags:#x}"
        return f"{state}. Violations: {self.world.violations}"
