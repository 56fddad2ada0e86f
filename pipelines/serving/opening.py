"""Opens a worker's painter from its setup: the device, the checker, the engine, every model tried.

What it does from then on is `painter`'s.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

import torch

from ..engine.engine import COMPILER, MAX_ROWS, Engine
from ..errors import ModelError
from ..safety.opening import open_checker
from .messages import Entered, Hello, ModelBroke, Phase
from .painter import Painter
from .press import Press

if TYPE_CHECKING:
    import queue

    from .channel import Sender
    from .doorstep import Judged
    from .messages import Order, Setup


def open_painter(setup: Setup, sender: Sender, inbox: queue.SimpleQueue[Order | Judged]) -> Painter:
    """Says hello, loads and tries every model.

    Raises `PipelineError` if the device is no good, `SafetyError` if the checker is not.
    """
    device, num_devices = _device(setup.device)
    sender.send(Hello(os.getpid(), device, num_devices))
    if setup.threads is not None and device == "cpu":
        torch.set_num_threads(setup.threads)
    checker = None if setup.safety is None else open_checker(setup.safety)
    skipped = dict(setup.skipped_models)
    models = tuple(model for model in setup.models if model.name not in skipped)
    for name, sentence in skipped.items():
        sender.send(ModelBroke(name, sentence))
    if not models:
        raise ModelError("; ".join(skipped.values()))
    max_rows = setup.max_rows or MAX_ROWS
    engine = Engine(
        models,
        device=device,
        dtype=setup.dtype,
        adapters=setup.adapters,
        memory_bytes=setup.weights_bytes,
        max_rows=max_rows,
        fixed_bucket=setup.fixed_bucket,
        compile_with=COMPILER if setup.is_compiled else "",
        # Within a step, which is then a long one: told before it looks like a hang, and after it,
        # so that a true hang is not believed for as long.
        on_loading=lambda name: sender.send(Entered(Phase.LOADING, name)),
        on_loaded=lambda _: sender.send(Entered(Phase.PAINTING)),
    )
    if engine.device.type == "cuda":
        # Of this thread, which alone drives the engine: torch would use the first GPU.
        torch.cuda.set_device(engine.device.index or 0)
    press = Press(sender, _version(), checker)
    painter = Painter(engine, models, sender, inbox, press, device, max_rows)
    painter.try_models()
    return painter


def _device(name: str) -> tuple[str, int]:
    """What a device's name means here, and how many GPUs there are."""
    num_gpus = torch.cuda.device_count()
    if name != "auto":
        return name, num_gpus
    return ("cuda:0", num_gpus) if num_gpus else ("cpu", 0)


def _version() -> str:
    try:
        return version_of("limner")
    except PackageNotFoundError:
        return ""
