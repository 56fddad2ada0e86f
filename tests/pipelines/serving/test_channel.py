from __future__ import annotations

import json
import logging
import pickle
import struct
import subprocess
import sys
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.pipelines.errors import WorkerError
from limner.pipelines.request import Request
from limner.pipelines.serving.channel import Receiver, Sender
from limner.pipelines.serving.logbook import LineFormatter, relay
from limner.pipelines.serving.messages import Cancel, Paint, PictureFailed, Watch
from limner.pipelines.serving.updates import Cause

MESSAGES = [
    Paint("1", 0, Request("ein Herz 心", seed=5), wants_previews=False),
    Cancel("1"),
    Watch("2", is_on=True),
    PictureFailed("3", 1, "No.", Cause.MEMORY),
]


def sent(*messages: object) -> bytes:
    stream = BytesIO()
    sender = Sender(stream)
    for message in messages:
        sender.send(message)  # type: ignore[arg-type]
    return stream.getvalue()


@given(st.lists(st.sampled_from(MESSAGES), max_size=8))
def test_messages_arrive_whole_and_in_order(messages: list[object]) -> None:
    receiver = Receiver(BytesIO(sent(*messages)))
    assert [receiver.receive() for _ in messages] == messages
    assert receiver.receive() is None


@given(st.data())
def test_what_a_kill_cut_off_was_never_said(data: st.DataObject) -> None:
    stream = sent(*MESSAGES)
    cut = data.draw(st.integers(0, len(stream) - 1))
    receiver = Receiver(BytesIO(stream[:cut]))
    heard = []
    while (message := receiver.receive()) is not None:
        heard.append(message)
    assert heard == MESSAGES[: len(heard)]
    assert len(heard) < len(MESSAGES)


def test_a_missing_message_is_noticed() -> None:
    first, both = sent(MESSAGES[0]), sent(*MESSAGES[:2])
    receiver = Receiver(BytesIO(both[len(first) :]))
    with pytest.raises(WorkerError, match="Message 1"):
        receiver.receive()


@pytest.mark.parametrize(
    "stream",
    [
        b"Loading model...\n" * 10,
        struct.pack(">Q", 5) + b"hello",
        struct.pack(">Q", 20) + pickle.dumps("not a pair")[:20].ljust(20),
    ],
)
def test_what_is_no_message_is_refused(stream: bytes) -> None:
    with pytest.raises(WorkerError):
        Receiver(BytesIO(stream)).receive()


def test_a_worker_s_log_line_keeps_its_level_its_logger_and_its_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    record = logging.LogRecord(
        "limner.pipelines.engine.engine", logging.WARNING, "", 0, "slow %d", (3,), None
    )
    record.job = "17"
    line = LineFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "slow 3"
    relay(line, "worker-cpu")
    relay("Downloading: 3 %", "worker-cpu")
    relay('{"not": "ours"', "worker-cpu")
    first, *others = caplog.records
    assert (first.name, first.levelno) == ("limner.pipelines.engine.engine", logging.WARNING)
    assert (first.getMessage(), vars(first)["job"]) == ("slow 3", "17")
    assert [other.levelno for other in others] == [logging.DEBUG] * 2


def test_the_host_s_side_loads_no_torch() -> None:
    code = (
        "import sys, limner.pipelines.serving.pool;"
        "sys.exit(bool({'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
