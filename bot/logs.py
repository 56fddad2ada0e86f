"""How the runner logs: text for people or one JSON object a line, job ids in both, never a token.

A host that loads the extension has its own logging, and this is not called there.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.logging import RichHandler

if TYPE_CHECKING:
    from .settings import Settings

_TOKEN_SHAPE = re.compile(r"\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}")
"""Discord's tokens: an id, a time and a signature, each in base 64."""
_HIDDEN = "[token]"


class TokenFilter(logging.Filter):
    """Takes the token, and whatever looks like one, out of every record."""

    def __init__(self, token: str | None) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = self._hidden(message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        if record.exc_info:
            # Formatted here, for a trace may quote the token too.
            trace = logging.Formatter().formatException(record.exc_info)
            if (clean := self._hidden(trace)) != trace:
                record.exc_info, record.exc_text = None, clean
        return True

    def _hidden(self, text: str) -> str:
        if self._token:
            text = text.replace(self._token, _HIDDEN)
        return _TOKEN_SHAPE.sub(_HIDDEN, text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for collectors."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("job", "worker"):
            if value := getattr(record, name, None):
                line[name] = str(value)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        elif record.exc_text:
            line["trace"] = record.exc_text
        return json.dumps(line)


class _JobFormatter(logging.Formatter):
    """The job's id in front, where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        job = getattr(record, "job", None)
        return f"job {job}: {super().format(record)}" if job else super().format(record)


def set_up_logging(settings: Settings) -> None:
    """Takes over the root logger. To be called once, by whoever owns the process."""
    if settings.logging.format == "json":
        handler: logging.Handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter())
    else:
        handler = RichHandler(show_path=False, rich_tracebacks=False, markup=False)
        handler.setFormatter(_JobFormatter("%(message)s"))
    # On the handler, not on a logger: a logger's filters miss what its children log.
    handler.addFilter(TokenFilter(settings.token))
    level = logging.getLevelNamesMapping()[settings.logging.level.upper()]
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("limner").setLevel(level)
    logging.getLogger("discord").setLevel(max(level, logging.WARNING))
