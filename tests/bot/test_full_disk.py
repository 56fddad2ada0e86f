"""A disk that is really full: what was accepted waits for room, and is painted and told then."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.pipelines.models import make_house_like

if TYPE_CHECKING:
    from pathlib import Path

# A file system of one process alone: needs no root where the system lets users have namespaces,
# and is gone with the process.
ON_ITS_OWN_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
MOUNT = 'mount -t tmpfs -o size=72m none "$0"'


def on_small_disk(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ON_ITS_OWN_DISK, f'{MOUNT} && exec "$@"', str(folder), *map(str, command)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_what_was_accepted_outlives_a_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("unshare") is None or on_small_disk(folder, "true").returncode:
        pytest.skip("this system lets nobody mount a small file system of their own")
    model = make_house_like(tmp_path / "house")
    done = on_small_disk(folder, sys.executable, "-m", "tests.bot.full_disk", folder, model)
    assert done.returncode == 0, done.stderr
    refused, stored, closed, start, stored_later, ledger, sound = done.stdout.splitlines()
    assert refused.startswith("refused: ")
    assert refused.count(".") == 1
    assert "stored" in refused
    assert stored == stored_later == "stored True"
    assert closed == "closed"
    # With no room at all it may start or say in one sentence why not; it never loses anything.
    assert start == "opened" or "full" in start
    assert ledger == "credits 0 6000"
    assert sound == "sound True"
    assert not list(folder.iterdir())
