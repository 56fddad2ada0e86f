"""Messages over a pair of byte streams: length, then a pickled (sequence number, message).

What the messages mean is messages'. Both ends are ours and run as one user: pickle is safe here,
and nowhere near anything that came from Discord.
"""

from __future__ import annotations

import pickle
import struct
import threading
from typing import TYPE_CHECKING, cast

from ..errors import WorkerError
from .messages import Order, Report

if TYPE_CHECKING:
    from typing import BinaryIO

_LENGTH = struct.Struct(">Q")
_MOST_BYTES = 1 << 30

Message = Order | Report


class Sender:
    """The writing end; any thread may send."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._number = 0

    def send(self, message: Message) -> None:
        """Writes one message whole. Raises `OSError` when the other end is gone."""
        with self._lock:
            frame = pickle.dumps((self._number + 1, message), protocol=5)
            # Not before: what can't be packed must not be missed at the other end.
            self._number += 1
            self._stream.write(_LENGTH.pack(len(frame)) + frame)
            self._stream.flush()

    def close(self) -> None:
        self._stream.close()


class Receiver:
    """The reading end; one thread owns it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._number = 0

    def receive(self) -> Message | None:
        """The next message, None at the end. Raises `WorkerError` when what came is not ours."""
        head = self._stream.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > _MOST_BYTES:
            raise WorkerError("Something that is not a message was written into a worker's pipe.")
        frame = self._stream.read(length)
        if len(frame) < length:
            # Cut off by a kill: what is not whole was never said.
            return None
        try:
            number, message = cast("tuple[int, Message]", pickle.loads(frame))
        except Exception as error:
            raise WorkerError("A message in a worker's pipe cannot be read.") from error
        if number != self._number + 1:
            raise WorkerError(f"Message {self._number + 1} of a worker's pipe is missing.")
        self._number = number
        return message

    def close(self) -> None:
        self._stream.close()
