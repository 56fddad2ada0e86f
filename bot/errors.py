"""What the bot refuses or cannot do; every message is one sentence for the person who reads it.

LimnerError
├── RefusedError      asked for something that will not be painted; nothing was spent
├── SettingsError     config.toml or the environment says something impossible
└── StartError        the bot cannot start: no token, the data folder in use, no model
"""

from __future__ import annotations


class LimnerError(Exception):
    """Root of everything that the bot raises on purpose."""


class RefusedError(LimnerError):
    """The ask is refused, privately, and costs nothing.

    `again_at` is when it may be asked again, in Unix seconds, where that is known.
    """

    def __init__(self, sentence: str, *, again_at: float | None = None) -> None:
        super().__init__(sentence)
        self.again_at = again_at


class SettingsError(LimnerError):
    """The settings are wrong; the message names the file, the key and what is allowed."""


class StartError(LimnerError):
    """The bot cannot start; the message says what to do."""
