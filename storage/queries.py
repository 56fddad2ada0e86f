"""Reads the named statements of `sql/*.sql`, each with its description. What they mean is theirs.

A statement starts with `-- name: what_it_is`; the comment lines under it describe it.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"^-- name: ([a-z_0-9]+)$", re.MULTILINE)


def load(subject: str) -> Mapping[str, str]:
    """The statements of `sql/<subject>.sql` by name."""
    text = (files(__name__.rpartition(".")[0]) / "sql" / f"{subject}.sql").read_text("utf-8")
    # re.split with one group gives: what precedes, name, statement, name, statement, ...
    _, *parts = _NAME.split(text)
    return {
        name: statement.strip() for name, statement in zip(parts[::2], parts[1::2], strict=True)
    }
