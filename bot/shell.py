"""Painting and listing models from the shell, in this process: no Discord, database or worker."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..pipelines import checkpoint as checkpoints
from ..pipelines.errors import InvalidRequestError, ModelError
from ..pipelines.events import Failed, Finished
from ..pipelines.events import Progress as Moved
from ..pipelines.finish.parameters import parameters_of
from ..pipelines.finish.png import encode
from ..pipelines.request import Request
from .errors import StartError
from .opening import described

if TYPE_CHECKING:
    from ..pipelines.checkpoint import Checkpoint
    from ..pipelines.events import Result
    from .settings import Settings


@dataclass(frozen=True, slots=True)
class ShellAsk:
    """What `limner imagine` was asked; None takes the model's default."""

    prompt: str
    negative_prompt: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    count: int = 1
    width: int | None = None
    height: int | None = None
    model: str = ""

    def requests(self) -> list[Request]:
        first = random.SystemRandom().randrange(2**32) if self.seed is None else self.seed
        return [
            Request(
                self.prompt,
                negative_prompt=self.negative_prompt,
                seed=first + index,
                steps=self.steps,
                guidance_scale=self.guidance_scale,
                sampler=self.sampler,
                width=self.width,
                height=self.height,
            )
            for index in range(self.count)
        ]


def chosen(settings: Settings, model: str) -> Checkpoint:
    """A configured name or a path; empty: the first configured one.

    Raises `ModelError`.
    """
    name = model or next(iter(settings.models))
    if name in settings.models:
        return described(name, settings.models[name])
    path = Path(name).expanduser()
    return checkpoints.describe(path.resolve(), name=path.stem)


def paint(settings: Settings, ask: ShellAsk, out: Path) -> None:
    """Paints, shows how it goes, writes PNG files and prints each one's seed.

    Raises `StartError` when `out` can't be written, `PipelineError` for the rest.
    """
    from ..pipelines.engine.engine import Engine  # loads torch: seconds, so only where it paints

    checkpoint = chosen(settings, ask.model)
    files = _files(out, ask)
    console = Console()
    with console.status(f"Loading {checkpoint.name} ..."):
        engine = Engine(
            [checkpoint],
            device=settings.engine.devices[0],
            dtype=settings.engine.dtype,
            max_rows=settings.engine.max_rows,
        )
        index_of = {engine.add(request): i for i, request in enumerate(ask.requests())}
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bars = {i: progress.add_task(files[i].name, total=None) for i in index_of.values()}
        while not engine.is_idle:
            for event in engine.step():
                index = index_of[event.request_id]
                match event:
                    case Moved():
                        progress.update(bars[index], completed=event.step, total=event.steps)
                    case Finished():
                        _write(files[index], event.result, checkpoint)
                        progress.console.print(_line(files[index], event.result), highlight=False)
                    case Failed():
                        raise event.error
                    case _:
                        pass


def _line(file: Path, result: Result) -> str:
    times = result.timings
    return (
        f"{file}  seed {result.seed}  {times.encoded_s + times.denoised_s + times.decoded_s:.1f} s"
    )


def _write(file: Path, result: Result, checkpoint: Checkpoint) -> None:
    try:
        made_with = parameters_of(
            result.request, result.seed, checkpoint.name, checkpoint.fingerprint
        )
        file.write_bytes(encode(result.image, made_with))
    except OSError as error:
        raise StartError(f"{file} can't be written: {error.strerror}.") from error


def _files(out: Path, ask: ShellAsk) -> list[Path]:
    """One file a picture; an `out` that is no .png file is a folder."""
    if out.suffix.lower() == ".png":
        folder, stem = out.parent, out.stem
        names = [out.name] if ask.count == 1 else [f"{stem}-{i + 1}.png" for i in range(ask.count)]
    elif out.suffix and not out.is_dir():
        raise InvalidRequestError(f"--out takes a .png file or a folder, not {out.name!r}.")
    else:
        folder = out
        words = "-".join("".join(c if c.isalnum() else " " for c in ask.prompt).lower().split())
        stem, number = words[:40] or "picture", 1
        names: list[str] = []
        while len(names) < ask.count:
            if not (folder / f"{stem}-{number}.png").exists():
                names.append(f"{stem}-{number}.png")
            number += 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"The folder {folder} can't be made: {error.strerror}.") from error
    return [folder / name for name in names]


def list_models(settings: Settings) -> bool:
    """Prints what is configured; whether all of it can be loaded."""
    table = Table("model", "family", "size", "steps", "guidance", "sampler", "weights", "state")
    is_well = True
    for name, model in settings.models.items():
        try:
            found = described(name, model)
        except ModelError as error:
            is_well = False
            table.add_row(name, *("",) * 6, f"[red]{error}[/red]")
            continue
        table.add_row(
            name,
            found.family,
            f"{found.size_px} px",
            str(found.steps),
            f"{found.guidance_scale:g}",
            found.sampler,
            f"{found.num_bytes / 1e6:,.0f} MB",
            "can be loaded",
        )
    Console().print(table)
    return is_well
