"""A worker's log, line by line over stderr: written as JSON there, put into `logging` here.

What is done with the records is the host's.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from logging import LogRecord

_log = logging.getLogger("limner.worker")


class LineFormatter(logging.Formatter):
    """One JSON object a line: level, logger, message, the job's key, the trace."""

    def format(self, record: LogRecord) -> str:
        line: dict[str, str | int] = {
            "level": record.levelno,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if job := getattr(record, "job", ""):
            line["job"] = str(job)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def relay(text: str, worker: str) -> None:
    """Puts a worker's line into this process's logging; lines that are not ours as they are."""
    if not text:
        return
    try:
        parsed: object = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        # Libraries' own prints and progress bars: worth keeping, not worth a warning.
        _log.debug("%s", text, extra={"worker": worker})
        return
    line = cast("dict[str, object]", parsed)
    level = line.get("level")
    name = str(line.get("logger", ""))
    message = str(line.get("message", ""))
    if trace := line.get("trace"):
        message = f"{message}\n{trace}"
    extra = {"worker": worker}
    if job := line.get("job"):
        extra["job"] = str(job)
    logger = logging.getLogger(name) if name.startswith("limner.") else _log
    logger.log(level if isinstance(level, int) else logging.INFO, "%s", message, extra=extra)
