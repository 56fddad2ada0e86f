"""Keeps the tables that were fitted for one checkpoint's scheduler; fitting is `fit`'s."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from .fit import Ask, fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .table import Table

_MAX_TABLES: Final = 256


class Tables:
    """The least recently used goes when there are too many: users invent step counts."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._tables: OrderedDict[Ask, Table] = OrderedDict()

    def get(self, sampler: str, steps: int, *, strength: float = 1.0, eta: float = 0.0) -> Table:
        """Raises `UnsupportedSamplerError`. `strength` below 1 leaves the first steps out."""
        kept = min(int(steps * strength), steps)
        ask = Ask(sampler, steps, steps - kept, eta)
        table = self._tables.get(ask)
        if table is None:
            table = fit(ask, self._config)
            self._tables[ask] = table
            if len(self._tables) > _MAX_TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(ask)
        return table
