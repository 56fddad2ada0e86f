"""Keeps diffusers and transformers off the terminal: their warnings quote prompts, and their
progress bars fill logs.

Done once, before anything of theirs is imported, since some of it warns as it is. What an owner
asked for by their own variables (`TRANSFORMERS_VERBOSITY`, `DIFFUSERS_VERBOSITY`) stays.
"""

from __future__ import annotations

import os

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging


def hush() -> None:
    for name, logging in (
        ("DIFFUSERS_VERBOSITY", diffusers_logging),
        ("TRANSFORMERS_VERBOSITY", transformers_logging),
    ):
        if not os.environ.get(name):
            logging.set_verbosity_error()
        logging.disable_progress_bar()
