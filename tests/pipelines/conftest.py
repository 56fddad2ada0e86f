"""Small random models, made once a session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By name: sd1, sd2, sdxl, house; 9 channels: inpaint, sd2-inpaint, sdxl-inpaint; distilled:
    lcm, sdxl-lcm."""
    from tests.pipelines.models import make_house_like, make_sd1, make_sd2, make_sdxl

    root = tmp_path_factory.mktemp("models")
    return {
        "sd1": make_sd1(root / "sd1"),
        "sd2": make_sd2(root / "sd2"),
        "sdxl": make_sdxl(root / "sdxl"),
        "inpaint": make_sd1(root / "inpaint", channels=9),
        "sd2-inpaint": make_sd2(root / "sd2-inpaint", channels=9),
        "sdxl-inpaint": make_sdxl(root / "sdxl-inpaint", channels=9),
        "lcm": make_sd1(root / "lcm", is_distilled=True),
        "sdxl-lcm": make_sdxl(root / "sdxl-lcm", is_distilled=True),
        "house": make_house_like(root / "house"),
    }
