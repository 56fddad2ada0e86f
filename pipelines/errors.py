"""What can go wrong while painting; every message is one sentence fit for a user.

PipelineError
├── InvalidRequestError      the request can never be painted (size, steps, a bad picture)
├── UnsupportedSamplerError  a scheduler that no table describes
├── ModelError               a checkpoint that is missing, broken, pickled or of no known family
├── OutOfMemoryError         too big for this device, even alone
├── RequestFailedError       this request failed while being painted; others went on
├── WorkerError              the worker process could not start, or died
├── SafetyError              the safety checker cannot be loaded, so nothing is painted
└── QueueFullError           not accepted now; says when to ask again
"""

from __future__ import annotations


class PipelineError(Exception):
    """Root of everything this package raises on purpose."""


class InvalidRequestError(PipelineError):
    """The request can never be painted; nothing was spent on it."""


class UnsupportedSamplerError(PipelineError):
    """The scheduler's run is not a table of coefficients, or its name is unknown."""


class ModelError(PipelineError):
    """The checkpoint is missing, broken, pickled, or of no known family."""


class OutOfMemoryError(PipelineError):
    """The request does not fit on the device, even alone."""


class RequestFailedError(PipelineError):
    """The request failed while being painted; its companions were not touched."""


class WorkerError(PipelineError):
    """The worker process could not start, or was lost."""


class SafetyError(PipelineError):
    """The safety checker cannot be loaded or does not work, so nothing is painted."""


class QueueFullError(PipelineError):
    """Not accepted: a limit on waiting jobs is reached, or the pool is stopping."""

    def __init__(self, sentence: str, again_s: float | None) -> None:
        super().__init__(sentence)
        self.again_s = again_s
        """Seconds after which asking again makes sense; None: unknown."""
