"""What the engine tells: small frozen values, picklable, in the order in which things happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

    from .request import Request


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent in each phase, as seen by one request."""

    waited_s: float = 0.0
    encoded_s: float = 0.0
    denoised_s: float = 0.0
    decoded_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """A painted picture. `request` is the ask with every default filled in."""

    image: Image
    seed: int
    request: Request
    timings: Timings


@dataclass(frozen=True, slots=True)
class Started:
    """The request's rows joined the batch."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` of `steps` are done."""

    request_id: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of what the denoiser believes now; only for requests somebody watches."""

    request_id: int
    image: Image


@dataclass(frozen=True, slots=True)
class Finished:
    request_id: int
    result: Result


@dataclass(frozen=True, slots=True)
class Failed:
    """`error` says in one sentence what went wrong; the log has the trace."""

    request_id: int
    error: Exception


@dataclass(frozen=True, slots=True)
class Cancelled:
    request_id: int


Event = Started | Progress | Preview | Finished | Failed | Cancelled
