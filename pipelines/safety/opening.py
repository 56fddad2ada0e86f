"""From what the settings say to a checker that was seen to work, or to one sentence why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import PipelineError, SafetyError
from . import opennsfw
from .opennsfw import OpenNsfw
from .stable_diffusion import StableDiffusionChecker

if TYPE_CHECKING:
    from .checker import Checker, Safety

STOCK = {opennsfw.NAME: OpenNsfw.open}
"""Checkers by name: what opens each at a threshold. A folder's path is a Stable Diffusion one's."""


def open_checker(safety: Safety) -> Checker:
    """Raises `SafetyError`, the sentence fit for the owner."""
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
    except PipelineError as error:
        raise SafetyError(f"The safety checker can't be loaded: {error}") from error
    except ImportError as error:
        raise SafetyError(
            f"The safety checker {safety.checker} needs {error.name or 'a library'}: install it."
        ) from error
    except Exception as error:  # nearly anything, over broken weights
        raise SafetyError(
            f"The safety checker {safety.checker} can't be loaded"
            f" ({type(error).__name__}): install it anew, or mend its folder."
        ) from error
    return checker
