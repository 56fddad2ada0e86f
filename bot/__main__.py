"""The `limner` command: what an owner types. Each command's work stands in a file of its own."""

from __future__ import annotations

import os

# OpenMP threads that spin slow two torch processes on one machine over 100 times: this must stand
# in the environment before torch loads, here and in the workers that inherit it.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..benchmarks.command import bench
from ..pipelines.errors import PipelineError
from ..storage.errors import StorageError
from .errors import LimnerError

app = typer.Typer(
    name="limner",
    help="The Discord plugin that paints.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_stderr = Console(stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings; else LIMNER_CONFIG, ./config.toml, the default ones."),
]


@app.command()
def run(config: ConfigOption = None) -> None:
    """Runs the bot on Discord. The token comes from the environment or a file, never from here."""
    from .runner import run_on_discord
    from .settings import load

    run_on_discord(load(config))


@app.command()
def demo(
    config: ConfigOption = None,
    port: Annotated[int, typer.Option(help="Of the page; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Paints in a local chat page: a simulated Discord, no token, no network."""
    from .runner import run_demo
    from .settings import load

    run_demo(load(config), port=port, open_browser=browser)


@app.command()
def imagine(
    prompt: str,
    negative: Annotated[str, typer.Option(help="What should not be in the picture.")] = "",
    seed: Annotated[int | None, typer.Option(help="The same seed paints the same picture.")] = None,
    steps: Annotated[int | None, typer.Option(min=1)] = None,
    guidance: Annotated[float | None, typer.Option(min=0.0)] = None,
    sampler: Annotated[str | None, typer.Option()] = None,
    count: Annotated[int, typer.Option(min=1, max=64)] = 1,
    width: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    model: Annotated[
        str, typer.Option(help="A configured name, or a path to a folder or .safetensors file.")
    ] = "",
    out: Annotated[Path, typer.Option(help="A .png file, or a folder.")] = Path(),
    config: ConfigOption = None,
) -> None:
    """Paints from the shell: the quickest check of a machine."""
    from .settings import load
    from .shell import ShellAsk, paint

    ask = ShellAsk(prompt, negative, seed, steps, guidance, sampler, count, width, height, model)
    paint(load(config), ask, out)


@app.command()
def models(config: ConfigOption = None) -> None:
    """Lists what is configured, whether it can be loaded, and its size."""
    from .settings import load
    from .shell import list_models

    raise typer.Exit(0 if list_models(load(config)) else 1)


@app.command()
def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    mend: Annotated[bool, typer.Option(help="Sweep orphaned and missing picture files.")] = False,
) -> None:
    """Checks everything that painting needs, and says what to do. Exits 1 if something is wrong."""
    from .doctor import examine

    raise typer.Exit(0 if examine(config, as_json=as_json, is_mending=mend) else 1)


@app.command()
def backup(file: Path, config: ConfigOption = None) -> None:
    """Writes the database and all pictures into one file, also while the bot runs."""
    from .settings import load
    from .upkeep import back_up

    back_up(load(config), file)


@app.command()
def restore(
    file: Path,
    replace: Annotated[bool, typer.Option(help="Even where there is a database already.")] = False,
    config: ConfigOption = None,
) -> None:
    """Puts a backup back; the bot must be stopped. The database that was there is kept aside."""
    from .settings import load
    from .upkeep import put_back

    put_back(load(config), file, is_replacing=replace)


app.command()(bench)


def main() -> None:
    """Runs the command line; what goes wrong is one sentence and exit status 1."""
    try:
        app()
    except (LimnerError, PipelineError, StorageError) as error:
        _stderr.print(str(error), style="red", highlight=False, soft_wrap=True, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
