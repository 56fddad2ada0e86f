"""What becomes of a job when the safety checker blocked pictures of it: records, price, words.

Where unsafe pictures may be shown is `exposure`'s; writing it all down is `endings`'. Pure.
"""

from __future__ import annotations

import hashlib
from math import ceil
from typing import TYPE_CHECKING

from ..storage.records import NewBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..pipelines.safety.checker import Verdict
    from ..pipelines.serving.updates import Painted
    from .runs import Run


def blocks_of(run: Run) -> list[NewBlock]:
    """What the worker did not hand out, in order."""
    return [block(each.sha256, each.verdict) for _, each in sorted(run.blocked.items())]


def block(sha256: str, verdict: Verdict) -> NewBlock:
    return NewBlock(sha256, verdict.checker, str(verdict))


def sorted_out(run: Run, *, shows_unsafe: bool) -> tuple[list[Painted], list[NewBlock]]:
    """What is kept of a finished run, and what is not: the server's rule may be another by now."""
    kept: list[Painted] = []
    blocks = blocks_of(run)
    for _, painted in sorted(run.painted.items()):
        verdict = painted.verdict
        if verdict is not None and verdict.is_unsafe and not shows_unsafe:
            blocks.append(block(hashlib.sha256(painted.png).hexdigest(), verdict))
        else:
            kept.append(painted)
    return kept, blocks


def settled(cost: int, count: int, num_kept: int, *, settles_blocked: bool) -> int:
    """Milli-credits that a job costs of whose pictures only so many are kept."""
    return cost if settles_blocked else ceil(cost * num_kept / count)


def sentence(blocks: Sequence[NewBlock], *, is_charged: bool) -> str:
    """Why there is no picture."""
    verdicts = ", ".join(each.verdict for each in blocks)
    if len(blocks) == 1:
        found = f"The safety checker finds this picture unsafe ({verdicts}), so it is not kept"
    else:
        found = f"The safety checker finds these pictures unsafe ({verdicts}), so none is kept"
    charged = " By this server's rule it costs its credits all the same." if is_charged else ""
    return f"{found}: try other words or another seed.{charged}"
