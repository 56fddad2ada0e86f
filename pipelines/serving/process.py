"""One worker process seen from the parent: started, written to, listened to, ended; by threads.

When it is started again, and what it paints, is the supervisor's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, cast

from ..errors import InvalidRequestError, WorkerError
from ..pictures import Picture, opened
from .channel import Receiver, Sender
from .logbook import relay
from .messages import Inspect, Paint, PictureFailed
from .updates import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..request import Request
    from .messages import Order, Report, Setup

_log = logging.getLogger(__name__)

_MOST_ORDERS = 10_000
"""Unsent orders; a worker that does not read for so long hangs, and is ended for it."""

_EXIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone, or never came; told once, last."""

    code: int | None
    """As `subprocess` has it: negative is a signal; None: it could not be started."""
    last_words: str
    """The end of what it wrote on stderr; may hold anything, so it is for the log alone."""


class WorkerProcess:
    """Threads and a child. `hear` is called on those threads, and last with `Exited`.

    No asyncio here: a task that listens for ever would keep a simulated Discord from settling.
    """

    def __init__(
        self,
        name: str,
        setup: Setup,
        *,
        is_offline: bool,
        hear: Callable[[Report | Exited], None],
    ) -> None:
        self.name = name
        self.heard_at = time.monotonic()
        """When the worker last said something; written by the listening thread."""
        self._environment = _environment(is_offline, setup.threads)
        self._hear = hear
        self._orders: queue.Queue[Order | None] = queue.Queue(_MOST_ORDERS)
        self._orders.put(setup)
        self._last_words: deque[str] = deque(maxlen=20)
        self._popen: subprocess.Popen[bytes] | None = None
        self._is_ending = False
        self._lock = threading.Lock()
        self._listener = threading.Thread(
            target=self._live, name=f"limner-{name}-listen", daemon=True
        )

    def start(self) -> None:
        self._listener.start()

    def send(self, order: Order) -> None:
        """Hands an order to the writing thread; a worker that is gone does not hear it."""
        try:
            self._orders.put_nowait(order)
        except queue.Full:
            _log.error("%s has not read its pipe for %d messages", self.name, _MOST_ORDERS)
            self.kill()

    def close(self) -> None:
        """Closes its pipe: it ends itself after the forward pass it is in, or is killed later."""
        with self._lock:
            self._is_ending = True
        with contextlib.suppress(queue.Full):
            self._orders.put_nowait(None)

    def kill(self) -> None:
        """SIGKILL to the worker and what it started."""
        with self._lock:
            self._is_ending = True
            popen = self._popen
            if popen is None or popen.poll() is not None:
                return
            if os.name == "posix":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(popen.pid, signal.SIGKILL)
            popen.kill()

    def join(self, timeout_s: float) -> bool:
        """Waits until process and threads are gone; False if they are not yet. Blocks."""
        if self._listener.ident is None:
            return True
        self._listener.join(timeout_s)
        return not self._listener.is_alive()

    def _live(self) -> None:
        """The listening thread: the whole life of the child."""
        try:
            popen = self._spawn()
        except OSError as error:
            _log.error("%s cannot be started: %s", self.name, error)
            self._hear(Exited(None, str(error)))
            return
        if popen is None:
            self._hear(Exited(0, ""))
            return
        writer = threading.Thread(
            target=self._write, args=(popen,), name=f"limner-{self.name}-write", daemon=True
        )
        stderr = threading.Thread(
            target=self._read_stderr, args=(popen,), name=f"limner-{self.name}-log", daemon=True
        )
        writer.start()
        stderr.start()
        self._listen(popen)
        try:
            code = popen.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            # It closed its pipe and lives: of no use to anybody.
            self.kill()
            code = popen.wait()
        # Wakes the writer, whether it waits for orders or (the pipe being broken now) writes one.
        while writer.is_alive():
            with contextlib.suppress(queue.Full):
                self._orders.put_nowait(None)
            writer.join(0.05)
        stderr.join(1.0)
        assert popen.stdout is not None
        popen.stdout.close()
        self._hear(Exited(code, "\n".join(self._last_words)))

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._is_ending:
                return None
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "limner.pipelines.serving.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                # Ctrl-C in the host's terminal is the host's; the worker ends when its pipe does.
                start_new_session=True,
            )
            return self._popen

    def _listen(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdout is not None
        receiver = Receiver(cast("BinaryIO", popen.stdout))
        try:
            while (message := receiver.receive()) is not None:
                self.heard_at = time.monotonic()
                self._hear(message)  # pyright: ignore[reportArgumentType]
        except (WorkerError, OSError) as error:
            _log.error("%s: %s", self.name, error)
            self.kill()
        except Exception:  # no memory: its end must be told all the same
            _log.exception("%s cannot be listened to any more", self.name)
            self.kill()

    def _write(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdin is not None
        sender = Sender(cast("BinaryIO", popen.stdin))
        try:
            while (order := self._orders.get()) is not None:
                try:
                    whole = _opened(order)
                except Exception as error:
                    self._hear(_spoilt(order, error))
                    continue
                sender.send(whole)
        except OSError:
            pass  # a broken pipe is no news: the listening thread tells the end
        except Exception:
            # It would wait for ever for what it is not told; what it has goes again.
            _log.exception("%s cannot be written to any more", self.name)
            self.kill()
        with contextlib.suppress(OSError):
            sender.close()

    def _read_stderr(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stderr is not None
        with popen.stderr as stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                self._last_words.append(text[:500])
                relay(text, self.name)


def _opened(order: Order) -> Order:
    """The order with its pictures in it: the worker need not share our disk.

    Raises `InvalidRequestError` where one can't be read.
    """
    match order:
        case Inspect():
            return replace(order, ground=opened(order.ground))
        case Paint() if order.request.init_image is not None:
            return replace(order, request=_with_pictures(order.request))
        case _:
            return order


def _spoilt(order: Order, error: Exception) -> PictureFailed:
    """Its picture could not be read."""
    assert isinstance(order, Inspect | Paint)
    index = order.index if isinstance(order, Paint) else 0
    if isinstance(error, InvalidRequestError):
        return PictureFailed(order.key, index, str(error), Cause.REQUEST)
    _log.error(
        "a picture to start from could not be read", exc_info=error, extra={"job": order.key}
    )
    sentence = "The picture that this starts from could not be read: try again, or send it anew."
    return PictureFailed(order.key, index, sentence, Cause.PAINTING)


def _with_pictures(request: Request) -> Request:
    def whole(picture: Picture | None) -> Picture | None:
        return None if picture is None else opened(picture)

    return replace(
        request, init_image=whole(request.init_image), mask_image=whole(request.mask_image)
    )


def _environment(is_offline: bool, threads: int | None) -> dict[str, str]:
    """The child's: set here, because it must stand before torch loads."""
    environment = {
        # The worker needs no secret of the bot's, and cannot leak what it does not have.
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("LIMNER_", "DISCORD_"))
    }
    # Spinning OpenMP threads ruin two torch processes on one machine (measured: 20x and more).
    environment.setdefault("GOMP_SPINCOUNT", "1000")
    environment["PYTHONUNBUFFERED"] = "1"
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    if is_offline:
        environment["HF_HUB_OFFLINE"] = "1"
    else:
        environment.pop("HF_HUB_OFFLINE", None)
    return environment
