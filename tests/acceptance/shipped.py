"""What `Wire.spawn` starts where a test wants the `limner` command itself, as an owner types it."""

from __future__ import annotations

import os
import sys

from limner.bot.__main__ import main


def run() -> None:
    """`limner run` with the settings that LIMNER_CONFIG names; ends as the command ends."""
    os.environ["LIMNER_DISCORD__TOKEN"] = os.environ["WIRE_TOKEN"]
    sys.argv = ["limner", "run"]
    main()
    raise SystemExit(0)
