"""`python -m training`: every stage in turn, in processes of their own with the settings they need.

A stage that was killed goes on from its checkpoint; one whose budget is spent ends at once.
"""

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

from .workspace import MALLOC, THREADS, default_root

STAGES = (
    "data",
    "autoencoder",
    "text_encoder",
    "synonyms",
    "latents",
    "denoiser",
    "decoder",
    "export",
    "evaluate",
)
MINUTES = {
    "autoencoder": 60.0,
    "text_encoder": 40.0,
    "synonyms": 30.0,
    "denoiser": 240.0,
    "decoder": 60.0,
}
# What a longer run sets, and the stage that it is said to; see that stage's own help.
WIDER = {
    "sources": "data",
    "languages": "data",
    "pairs": "data",
    "backgrounds": "data",
    "emphasis": "latents",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(stage: str, options: list[str], processes: int = 1) -> None:
    """Run a stage and wait for it; several processes share their gradients over the loopback."""
    module, extra = ("autoencoder", ["--decoder-only"]) if stage == "decoder" else (stage, [])
    command = [sys.executable, "-m", f"training.{module}", *options, *extra]
    settings = os.environ | MALLOC | THREADS
    if processes == 1:
        subprocess.run(command, check=True, env=settings)
        return
    group = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "ACCELERATE_USE_CPU": "true",
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }
    started = [
        subprocess.Popen(
            command, env=settings | group | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        )
        for rank in range(processes)
    ]
    codes = [process.wait() for process in started]
    if any(codes):
        raise SystemExit(f"{stage} ended with {codes}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=default_root())
    parser.add_argument("--from", dest="first", choices=STAGES, default=STAGES[0])
    parser.add_argument("--to", dest="last", choices=STAGES, default=STAGES[-1])
    parser.add_argument(
        "--processes", type=int, default=1, help="of the denoiser; one a core on a busy machine"
    )
    for stage, minutes in MINUTES.items():
        parser.add_argument(f"--{stage.replace('_', '-')}-minutes", type=float, default=minutes)
    for name, stage in WIDER.items():
        parser.add_argument(f"--{name}", help=f"handed to {stage}")
    parser.add_argument("--flips", action="store_true", help="handed to latents")
    options = parser.parse_args()
    for stage in STAGES[STAGES.index(options.first) : STAGES.index(options.last) + 1]:
        arguments = ["--root", str(options.root)]
        if stage in MINUTES:
            arguments += ["--minutes", str(getattr(options, f"{stage}_minutes"))]
        for name, wanted in WIDER.items():
            value = getattr(options, name)
            if wanted == stage and value is not None:
                arguments += [f"--{name}", value]
        if stage == "latents" and options.flips:
            arguments.append("--flips")
        several = options.processes if stage == "denoiser" else 1
        if several > 1:
            arguments += ["--threads", str(max(1, (os.cpu_count() or 1) // several))]
        run(stage, arguments, several)


if __name__ == "__main__":
    main()
