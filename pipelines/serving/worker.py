"""The worker process: one engine on one device, orders in by a pipe, reports out by another.

`python -m limner.pipelines.serving.worker`, started by process; it ends when its pipe does. The
engine steps in the main thread, orders are read in a second, pictures become files in a third.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO, cast

from ..errors import PipelineError, SafetyError, WorkerError
from .channel import Receiver, Sender
from .logbook import LineFormatter
from .messages import Dying, Setup

if TYPE_CHECKING:
    from .doorstep import Judged
    from .messages import Order

_log = logging.getLogger(__name__)

_FAILED = 70
"""EX_SOFTWARE of sysexits: it ended itself, and said why before."""


def main() -> int:
    """Runs until the pipe closes."""
    orders, reports = _take_streams()
    _write_log_lines()
    faulthandler.enable()
    _ignore_the_terminal()
    receiver, sender = Receiver(orders), Sender(reports)
    setup = receiver.receive()
    if setup is None:
        return 0
    if not isinstance(setup, Setup):
        raise WorkerError("The first message to a worker says how to set itself up.")
    inbox: queue.SimpleQueue[Order | Judged] = queue.SimpleQueue()
    threading.Thread(
        target=_read_orders, args=(receiver, inbox), name="limner-orders", daemon=True
    ).start()
    try:
        if setup.memory_limit_bytes is not None:
            _limit_memory(setup.memory_limit_bytes)
        # Here for the first time torch loads: its environment and limits stand now. What it makes
        # stays: collecting garbage meanwhile takes a quarter of the time, and later, among all
        # that, 0.3 s each time: several times in a start, which measures memory, and amid ticks.
        gc.disable()
        from .opening import open_painter

        gc.freeze()
        gc.enable()
        painter = open_painter(setup, sender, inbox)
        painter.paint()
    except BrokenPipeError:
        return 0
    except Exception as error:
        _log.exception("the worker on %s ends itself", setup.device)
        is_closed = isinstance(error, SafetyError)
        sender.send(Dying(_sentence(setup.device, error), is_closed=is_closed))
        return _FAILED
    return 0


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keeps the pipes to ourselves: what libraries print goes to stderr, and they read nothing."""
    orders, reports = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return cast(BinaryIO, orders), cast(BinaryIO, reports)


def _write_log_lines() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    # Libraries' warnings may quote a prompt (CLIP's truncation does), so only their errors pass.
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    logging.getLogger("limner").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


def _ignore_the_terminal() -> None:
    """Ctrl-C and a service manager's stop reach the whole group; when to end is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _read_orders(receiver: Receiver, inbox: queue.SimpleQueue[Order | Judged]) -> None:
    try:
        while (order := receiver.receive()) is not None:
            inbox.put(cast("Order", order))
    except Exception:
        _log.exception("orders cannot be read any more")
    # The parent is gone, or wants us gone: at once, in the midst of a forward pass as well.
    os._exit(0)


def _limit_memory(num_bytes: int) -> None:
    try:
        import resource
    except ImportError:
        _log.warning("this system cannot limit a process's memory")
        return
    resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))


def _sentence(device: str, error: Exception) -> str:
    if isinstance(error, PipelineError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"The worker on {device} ran out of memory."
    if isinstance(error, ImportError):
        return f"The worker on {device} cannot load {error.name or 'a library'}: install it."
    return f"The worker on {device} failed ({type(error).__name__}); the log has the trace."


if __name__ == "__main__":
    sys.exit(main())
