"""The `limner` command as it is typed: pictures, the doctor, and one sentence when it fails."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
from PIL import Image

from limner.bot.__main__ import main
from tests.pipelines.models import make_house_like

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_house_like(tmp_path_factory.mktemp("command-line") / "house")


@pytest.fixture
def config(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(
        f"[models.tiny]\npath = {str(model)!r}\nsteps = 2\nsampler = 'ddim'\n"
        "[engine]\ndevice = 'cpu'\ndtype = 'float32'\n[storage]\nfree_mib = 1\n"
    )
    monkeypatch.setenv("LIMNER_CONFIG", str(path))
    for name in ("DISCORD_TOKEN", "LIMNER_DISCORD__TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def limner(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["limner", *arguments])
        status = 0
        try:
            main()
        except SystemExit as leaving:
            status = (
                leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
            )
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return run


def test_the_same_seed_paints_the_same_file(limner: Callable[..., Done], tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        done = limner("imagine", "a red heart", "--seed", "7", "--out", name)
        assert done.status == 0, done
        assert "seed 7" in done.out
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as image:
        assert "a red heart" in image.info["parameters"]
        assert "Seed: 7" in image.info["parameters"]


def test_every_option_reaches_the_picture(limner: Callable[..., Done], tmp_path: Path) -> None:
    done = limner(
        *("imagine", "a cat", "--negative", "rain", "--seed", "3", "--steps", "3"),
        *("--guidance", "2.5", "--sampler", "euler", "--count", "2"),
        *("--width", "72", "--height", "80", "--out", "cats"),
    )
    assert done.status == 0, done
    assert [path.name for path in sorted((tmp_path / "cats").iterdir())] == [
        "a-cat-1.png",
        "a-cat-2.png",
    ]
    with Image.open(tmp_path / "cats" / "a-cat-2.png") as image:
        assert image.size == (72, 80)
        made_with = json.loads(image.info["limner"])
    expected = {
        "prompt": "a cat",
        "negative_prompt": "rain",
        "seed": 4,
        "steps": 3,
        "guidance_scale": 2.5,
        "sampler": "euler",
        "width": 72,
        "height": 80,
    }
    assert expected.items() <= made_with.items()


def test_a_second_picture_does_not_replace_the_first(
    limner: Callable[..., Done], tmp_path: Path
) -> None:
    assert limner("imagine", "A cat!", "--out", "cats").status == 0
    assert limner("imagine", "A cat!", "--out", "cats").status == 0
    assert len(list((tmp_path / "cats").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("imagine", "a", "--model", "nowhere"), "nowhere"),
        (("imagine", "a", "--sampler", "dpp"), "sampler"),
        (("imagine", "a", "--width", "65"), "multiples of 8"),
        (("imagine", "a", "--out", "x.jpg"), ".png"),
        (("imagine", "a", "--out", "settings.toml/x.png"), "can't be made"),
        (("run",), "There is no token"),
        (("restore", "nothing.zip"), "nothing.zip"),
        (("backup", "b.zip"), "no Limner database"),
    ],
)
def test_a_failure_is_one_sentence_and_status_1(
    limner: Callable[..., Done], arguments: tuple[str, ...], words: str
) -> None:
    done = limner(*arguments)
    assert done.status == 1, done
    assert words in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_the_doctor_finds_everything_well(limner: Callable[..., Done]) -> None:
    done = limner("doctor", "--json")
    report = json.loads(done.out)
    assert done.status == 0, report
    assert report["is_well"] is True
    about = {finding["about"]: finding for finding in report["findings"]}
    assert set(about) >= {
        "versions",
        "settings",
        "model tiny",
        "safety",
        "database",
        "pictures",
        "token",
    }
    assert "opennsfw judges a picture in" in about["safety"]["sentence"]
    assert "painted" in about["model tiny"]["sentence"]
    assert about["token"]["state"] == "note"


@pytest.mark.parametrize(
    ("text", "about", "words"),
    [
        ("[models.gone]\npath = 'gone'\n", "model gone", "gone"),
        ("[storage]\nfolder = 'settings.toml'\n", "database", "settings.toml"),
        ("[engine]\ndtipe = 'x'\n", "settings", "did you mean 'dtype'?"),
        ("[engine]\ndevice = 'cuda:7'\n", "model house", "cpu"),
        ("[safety]\nchecker = 'opennsfv'\n", "safety", "Until then nothing is painted."),
    ],
)
def test_the_doctor_says_what_is_wrong_and_exits_1(
    limner: Callable[..., Done], config: Path, model: Path, text: str, about: str, words: str
) -> None:
    if "models" not in text and "dtipe" not in text:
        text += f"[models.house]\npath = {str(model)!r}\nsteps = 1\n"
    config.write_text(text)
    done = limner("doctor", "--json")
    assert done.status == 1
    wrong = [f for f in json.loads(done.out)["findings"] if f["state"] == "wrong"]
    assert [finding["about"] for finding in wrong] == [about]
    assert words in wrong[0]["sentence"]


def test_the_doctor_talks_to_people_too(limner: Callable[..., Done]) -> None:
    done = limner("doctor")
    assert done.status == 0
    assert "✓ database" in done.out


def test_models_are_listed_with_what_is_wrong_with_them(
    limner: Callable[..., Done], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = limner("models")
    assert done.status == 0
    assert "tiny" in done.out
    assert "can be loaded" in done.out
    config.write_text(config.read_text() + "[models.gone]\npath = 'gone'\n")
    done = limner("models")
    assert done.status == 1
    assert "gone" in done.out


def test_a_backup_can_be_put_back(limner: Callable[..., Done], tmp_path: Path) -> None:
    assert limner("doctor").status == 0  # makes the database
    assert limner("backup", "b.zip").status == 0
    assert limner("restore", "b.zip").status == 1
    done = limner("restore", "b.zip", "--replace")
    assert done.status == 0, done
    assert limner("doctor").status == 0
