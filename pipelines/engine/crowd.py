"""Every request that the engine has, by id and by phase. What is done with them is the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .live import Phase

if TYPE_CHECKING:
    from .live import Live


class Crowd:
    """Insertion order is order of arrival: ids rise."""

    def __init__(self) -> None:
        self._lives: dict[int, Live] = {}

    def __len__(self) -> int:
        return len(self._lives)

    def __contains__(self, request_id: object) -> bool:
        return request_id in self._lives

    def add(self, live: Live) -> None:
        self._lives[live.id] = live

    def get(self, request_id: int) -> Live | None:
        return self._lives.get(request_id)

    def remove(self, live: Live) -> None:
        self._lives.pop(live.id, None)

    def all(self) -> list[Live]:
        return list(self._lives.values())

    def in_phase(self, phase: Phase) -> list[Live]:
        """Oldest first."""
        return [live for live in self._lives.values() if live.phase is phase]

    def tenants(self) -> set[str]:
        return {live.tenant for live in self._lives.values()}

    def is_busy(self, model: str) -> bool:
        """Whether it paints somebody's picture just now: its weights have to stay."""
        return any(
            live.phase is not Phase.WAITING and live.request.model == model
            for live in self._lives.values()
        )

    @property
    def live_rows(self) -> int:
        return sum(live.rows for live in self._lives.values() if live.phase is Phase.DENOISING)
