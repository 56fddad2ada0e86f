"""The map in docs/architecture.md, held: which room may import what; the wheel has them all."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("bot", "pipelines", "storage", "playground", "benchmarks")

# What a room may import from its neighbours. Arrows go down only.
MAY_IMPORT = {
    "storage": set[str](),
    "pipelines": set[str](),
    "bot": {"pipelines", "storage", "playground", "benchmarks"},
    "playground": {"bot", "pipelines", "storage"},
    "benchmarks": {"bot", "pipelines", "storage"},
}
# The floors inside pipelines/, lowest first: a file imports from its own floor and those below.
FLOORS = (
    {"errors", "request", "events", "checkpoint", "limits", "trial"},
    {"sampling"},
    {"families"},
    {"engine"},
    {"finish", "safety"},
    {"serving"},
)
TENSOR_LIBRARIES = {
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "peft",
    "safetensors",
    "onnxruntime",
}


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> list[str]:
    """Absolute names of what a file imports, `limner.` ones resolved from relative imports."""
    package = ("limner", *path.relative_to(ROOT).parent.parts)
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*stem, *([node.module] if node.module else [])])
            found += [base] + [f"{base}.{alias.name}" for alias in node.names]
    return found


def floor_of(parts: tuple[str, ...]) -> int | None:
    return next((i for i, names in enumerate(FLOORS) if parts and parts[0] in names), None)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_the_rooms_below_it(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(room)
        for name in imports(path)
        if name.startswith("limner.")
        and (other := name.split(".")[1]) in ROOMS
        and other != room
        and other not in MAY_IMPORT[room]
    ]
    assert not wrong


def test_inside_pipelines_arrows_go_down_only() -> None:
    wrong: list[str] = []
    for path in sources("pipelines"):
        parts = path.relative_to(ROOT / "pipelines").with_suffix("").parts
        floor = floor_of(parts)
        if floor is None:
            continue
        for name in imports(path):
            if not name.startswith("limner.pipelines."):
                continue
            other = floor_of(tuple(name.split(".")[2:]))
            if other is not None and other > floor:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_only_the_bot_and_its_playground_know_discord() -> None:
    for room in ("pipelines", "storage"):
        for path in sources(room):
            assert not [name for name in imports(path) if name.split(".")[0] == "discord"], path


def test_only_pipelines_know_tensors() -> None:
    for room in ("bot", "storage", "playground"):
        for path in sources(room):
            known = [name for name in imports(path) if name.split(".")[0] in TENSOR_LIBRARIES]
            assert not known, path


def test_nothing_in_the_product_imports_how_the_house_model_was_made() -> None:
    for room in ROOMS:
        for path in sources(room):
            assert not [name for name in imports(path) if name.split(".")[0] == "training"], path


@pytest.mark.parametrize(
    "module",
    ["limner.bot", "limner.bot.studio", "limner.pipelines", "limner.pipelines.serving.pool"],
)
def test_the_host_process_loads_no_torch(module: str) -> None:
    script = f"import sys, {module}; sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT.parent)
    assert done.returncode == 0


def test_every_folder_with_code_is_listed_for_the_wheel() -> None:
    folders = {
        ".".join(("limner", *path.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert listed == folders | {"limner"}


def test_every_folder_with_code_has_an_init() -> None:
    for room in ROOMS:
        for path in sources(room):
            assert (path.parent / "__init__.py").is_file(), path
