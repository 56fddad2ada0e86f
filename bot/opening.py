"""Opens a studio from the settings: storage, pool of workers, models; closes it in order."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from ..pipelines import checkpoint as checkpoints
from ..pipelines.checkpoint import Adapter
from ..pipelines.errors import ModelError
from ..pipelines.safety.checker import Safety
from ..pipelines.serving.config import Limits, PoolConfig
from ..pipelines.serving.pool import WorkerPool
from ..storage.quotas import Allowance, Period, Rule, Window
from ..storage.retention import Retention
from ..storage.storage import Storage
from .errors import StartError
from .metrics import serve
from .pricing import CREDIT
from .studio import Studio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..pipelines.checkpoint import Checkpoint
    from ..pipelines.serving.updates import Update
    from .settings import ModelSettings, Settings

log = logging.getLogger(__name__)

_DAY_S = 24 * 3600.0


@asynccontextmanager
async def open_studio(settings: Settings) -> AsyncGenerator[Studio]:
    """The studio, its workers starting in the background; jobs of an earlier life wait in it.

    Raises `StorageError` when the data folder can't be used, `StartError` without a model.
    """
    found, broken = await asyncio.to_thread(read_models, settings)
    for name, sentence in broken.items():
        log.error("model %r at %s is left out: %s", name, settings.models[name].path, sentence)
    if not found:
        raise StartError(f"No model can be loaded: {' '.join(broken.values())}")
    async with AsyncExitStack() as resources:
        storage = await resources.enter_async_context(
            Storage.open(
                settings.storage.folder,
                retention=_retention(settings),
                bot_rule=_bot_rule(settings),
            )
        )
        # With its usual grace: previews and questions of before a restart can still be answered.
        await storage.sweep()
        heard: list[Studio] = []

        def listen(update: Update) -> None:
            for studio in heard:
                studio.heard(update)

        pool = WorkerPool(pool_config(settings, found), listen)
        studio = Studio(settings, storage, pool, found, broken)
        heard.append(studio)
        resources.callback(studio.censor.close)
        resources.push_async_callback(studio.quiet)
        await resources.enter_async_context(pool)
        studio.metrics.watch(lambda: pool.state, asyncio.get_running_loop())
        await resources.enter_async_context(serve(studio.metrics, settings.logging.metrics_port))
        studio.sweep_later()
        yield studio
        studio.close_doors()


def read_models(settings: Settings) -> tuple[dict[str, Checkpoint], dict[str, str]]:
    """What is configured and readable, and a sentence for each that is not. Blocks on the disk."""
    found: dict[str, Checkpoint] = {}
    broken: dict[str, str] = {}
    for name, model in settings.models.items():
        try:
            found[name] = described(name, model)
        except ModelError as error:
            broken[name] = str(error)
    return found, broken


def described(name: str, model: ModelSettings) -> Checkpoint:
    """What the settings say of a model, completed from its own files.

    Raises `ModelError`.
    """
    return checkpoints.describe(
        model.path,
        name=name,
        steps=model.steps,
        guidance_scale=model.guidance_scale,
        sampler=model.sampler,
        strength=model.strength,
        size_px=model.size_px,
    )


def pool_config(settings: Settings, models: dict[str, Checkpoint]) -> PoolConfig:
    """What the settings mean for the pool of workers."""
    limits, engine = settings.limits, settings.engine
    return PoolConfig(
        models=tuple(models.values()),
        adapters=tuple(
            Adapter(name, lora.path, lora.weight) for name, lora in settings.loras.items()
        ),
        devices=engine.devices,
        dtype=engine.dtype,
        limits=Limits(
            waiting=limits.queue_length,
            waiting_per_tenant=limits.waiting_per_user,
            waiting_per_group=limits.waiting_per_server,
            running_per_tenant=limits.running_per_user,
        ),
        max_rows=engine.max_rows,
        threads=engine.threads or None,
        is_compiled=engine.compile,
        weights_bytes=int(engine.memory_gib * 2**30) or None,
        safety=safety_of(settings),
    )


def safety_of(settings: Settings) -> Safety | None:
    """Who judges pictures; None: nobody."""
    safety = settings.safety
    return None if safety.checker == "none" else Safety(safety.checker, safety.threshold)


def _retention(settings: Settings) -> Retention:
    kept = settings.storage
    return Retention(
        pictures_days=kept.keep_days or None,
        jobs_days=kept.keep_days or None,
        budget_bytes=int(kept.keep_gib * 2**30) or None,
    )


def _bot_rule(settings: Settings) -> Rule:
    """The quota of whoever no server's rule speaks of."""
    a_day = settings.limits.credits_per_day
    if not a_day:
        return Rule()
    return Rule(Allowance(round(a_day * CREDIT), Period(Window.ROLLING, _DAY_S)))
