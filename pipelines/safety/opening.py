"""From what the settings say to a checker that was seen to work, or to one sentence why not."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import PipelineError, SafetyError, WorkerError
from . import opennsfw
from .opennsfw import OpenNsfw
from .stable_diffusion import StableDiffusionChecker

if TYPE_CHECKING:
    from .checker import Checker, Safety

STOCK = {opennsfw.NAME: OpenNsfw.open}
"""Checkers by name: what opens each at a threshold. A folder's path is a Stable Diffusion one's."""

_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""What the system says of a bad moment, not of a bad file. Where files are missing or broken
libraries raise `OSError` as well, mostly without a number."""
_SIGNS = ("bad_alloc", "allocate memory", "enough memory", "out of memory", "map segment")
"""How libraries put a lack of memory; the last is the loader's of shared objects."""


def open_checker(safety: Safety) -> Checker:
    """Raises `SafetyError`, the sentence fit for the owner, or `WorkerError` where a later try may
    well succeed."""
    try:
        if (stock := STOCK.get(safety.checker)) is not None:
            checker = stock(safety.threshold)
        elif (folder := Path(safety.checker)).is_dir():
            checker = StableDiffusionChecker.open(folder, safety.threshold)
        else:
            named = ", ".join(f'"{name}"' for name in STOCK)
            raise SafetyError(
                f"There is no safety checker {safety.checker}: say {named}, the path of a folder,"
                ' or "none".'
            )
        checker.check([Image.new("RGB", (64, 64), "grey")])
    except SafetyError:
        raise
    except Exception as error:  # nearly anything, over broken weights
        raise _explained(safety.checker, error) from error
    return checker


def _explained(name: str, error: Exception) -> PipelineError:
    if _is_passing(error):
        return WorkerError(
            f"The safety checker {name} could not be loaded just now ({type(error).__name__});"
            " memory or files may be short."
        )
    if isinstance(error, PipelineError):
        return SafetyError(f"The safety checker can't be loaded: {error}")
    if isinstance(error, ImportError):
        return SafetyError(
            f"The safety checker {name} needs {error.name or 'a library'}: install it."
        )
    return SafetyError(
        f"The safety checker {name} can't be loaded"
        f" ({type(error).__name__}): install it anew, or mend its folder."
    )


def _is_passing(error: BaseException | None) -> bool:
    """Whether it, or what a library made it from, says more of the moment than of the checker."""
    while error is not None:
        if isinstance(error, MemoryError) or (
            isinstance(error, OSError) and error.errno in _PASSING
        ):
            return True
        if any(sign in str(error).lower() for sign in _SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False
