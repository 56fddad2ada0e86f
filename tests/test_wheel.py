"""The wheel outside the checkout: everything that painting needs is in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # From the tracked files only: what lies around in a working tree must not mend a wheel.
    tree = folder / "tree"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    for name in tracked.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).symlink_to(ROOT / name)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(folder), str(tree)),
        ],
        check=True,
    )
    (wheel,) = folder.glob("limner-*.whl")
    return wheel


def test_model_sql_settings_and_page_are_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "limner/config.toml" in names
    for folder, suffix in (
        ("limner/pipelines/house/unet/", ".safetensors"),
        ("limner/pipelines/house/vae/", ".safetensors"),
        ("limner/pipelines/house/text_encoder/", ".safetensors"),
        ("limner/pipelines/house/tokenizer/", ".json"),
        ("limner/pipelines/house/", "model_index.json"),
        ("limner/pipelines/house/", "README.md"),
        ("limner/storage/sql/", ".sql"),
        ("limner/playground/page/", ".js"),
    ):
        assert any(n.startswith(folder) and n.endswith(suffix) for n in names), (folder, suffix)
    assert not [name for name in names if name.startswith(("limner/tests", "limner/training"))]


def test_it_paints_and_loads_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LIMNER_")}
    environment["PYTHONPATH"] = str(site)

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = python("-c", "import limner.bot.settings as s; print(s.__file__, s.SHIPPED_CONFIG)")
    assert all(Path(path).is_relative_to(site) for path in where.split())
    python("-m", "limner.bot", "imagine", "a red heart", "--seed", "7", "--out", "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    # The README's plugin in three lines, in a bot of ten.
    (tmp_path / "host.py").write_text(
        "import asyncio, discord\n"
        "from discord.ext import commands\n"
        "async def main():\n"
        "    host = commands.Bot('!', intents=discord.Intents.none())\n"
        "    async with host:\n"
        "        await host.load_extension('limner.bot')\n"
        "        print(sorted(command.name for command in host.tree.get_commands()))\n"
        "asyncio.run(main())\n"
    )
    assert "'imagine'" in python("host.py")
