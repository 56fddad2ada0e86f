"""Logging: no token, whatever path it takes; job ids in both formats."""

from __future__ import annotations

import io
import json
import logging

import pytest

from limner.bot.logs import JsonFormatter, TokenFilter

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"
PLAIN = "a-secret-of-another-shape"


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(lines: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(TokenFilter(PLAIN))
    logger = logging.Logger("limner.test")
    logger.addHandler(handler)
    return logger


@pytest.mark.parametrize("token", [TOKEN, PLAIN])
def test_no_token_in_messages_arguments_and_traces(
    logger: logging.Logger, lines: io.StringIO, token: str
) -> None:
    logger.info("logging in with %s", token)
    logger.info(f"logging in with {token}")
    try:
        raise RuntimeError(f"401 for Bot {token}")
    except RuntimeError:
        logger.exception("refused")
    assert token not in lines.getvalue()
    assert lines.getvalue().count("[token]") >= 3


def test_a_line_is_one_json_object_with_the_job(logger: logging.Logger, lines: io.StringIO) -> None:
    logger.warning("it failed:\n%s", "twice", extra={"job": 7, "worker": "cpu"})
    (line,) = lines.getvalue().splitlines()
    parsed = json.loads(line)
    assert (parsed["level"], parsed["job"], parsed["worker"]) == ("warning", "7", "cpu")
    assert parsed["message"] == "it failed:\ntwice"


def test_a_trace_stays_readable(logger: logging.Logger, lines: io.StringIO) -> None:
    try:
        raise RuntimeError("no secret here")
    except RuntimeError:
        logger.exception("failed")
    assert "RuntimeError: no secret here" in json.loads(lines.getvalue())["trace"]
