"""Painting and listing models from the shell, in this process: no Discord, no database, no worker."""

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
from ..pipelines.finish import png
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

    def requests(self, model: str) -> list[Request]:
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
                model=model,
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
        requests = ask.requests(checkpoint.name)
        for request in requests:
            engine.check(request)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("Painting", total=None)

        def show(done: int, steps: int) -> None:
            progress.update(task, completed=done, total=steps)

        results = engine.run(requests, on_progress=show)
    for file, result in zip(files, results, strict=True):
        _write(file, result, checkpoint)
        took = result.timings.denoised_s + result.timings.encoded_s + result.timings.decoded_s
        console.print(f"{file}  seed {result.seed}  {took:.1f} s", highlight=False)


def _write(file: Path, result: Result, checkpoint: Checkpoint) -> None:
    try:
        file.write_bytes(png.encode(result.image, png.parameters_of(result, checkpoint)))
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
