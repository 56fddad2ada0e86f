"""config.toml and the environment: what is read, what is refused, and that no token leaks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from limner.bot.errors import SettingsError
from limner.bot.settings import (
    HOUSE_MODEL,
    SHIPPED_CONFIG,
    Settings,
    config_path,
    known_keys,
    load,
)

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"


@pytest.fixture(autouse=True)
def _a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    import os

    for name in [name for name in os.environ if name.startswith("LIMNER_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_file_says_what_an_empty_one_means(tmp_path: Path) -> None:
    shipped, empty = load(SHIPPED_CONFIG), load(write(tmp_path, ""))
    same = {"storage", "models"}
    assert shipped.model_dump(exclude=same) == empty.model_dump(exclude=same)


def test_the_shipped_file_documents_every_key() -> None:
    text = SHIPPED_CONFIG.read_text(encoding="utf-8")
    documented = {line.lstrip("# ").split(" = ")[0] for line in text.splitlines() if " = " in line}
    keys = {
        key
        for section in (*Settings.model_fields, "models", "loras", "styles")
        for key in known_keys([section])
    }
    undocumented = keys - documented - {"token"}
    # A model's own defaults are named together in one comment.
    assert {key for key in undocumented if key not in text} == set()


def test_every_key_of_the_shipped_file_has_a_comment_above_it() -> None:
    lines = SHIPPED_CONFIG.read_text(encoding="utf-8").splitlines()
    in_model = False
    above = ""
    for line in lines:
        if line.startswith("["):
            in_model = line.startswith("[models.")
        if " = " in line and not line.startswith("#") and not in_model:
            assert above.startswith("#") or " = " in above, line
        above = line


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("[engine]\ndtipe = 1", "engine.dtipe", "did you mean 'dtype'?"),
        ("[engin]\ndtype = 1", "engin", "did you mean 'engine'?"),
        ("[models.mine]\npath = 'x'\nstep = 3", "models.mine.step", "did you mean 'steps'?"),
        ("[storage]\nzzzzzz = 1", "storage.zzzzzz", "delete it"),
    ],
)
def test_an_unknown_key_is_refused_with_the_file_and_the_nearest_known_one(
    tmp_path: Path, text: str, key: str, hint: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert repr(key) in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[engine]\ndtype = 'float64'", ("engine.dtype", "'bfloat16'")),
        ("[engine]\nmax_rows = 1", ("engine.max_rows", "2")),
        ("[engine]\ndevice = 'gpu'", ("engine.device", "pattern")),
        ("[limits]\nqueue_length = 0", ("limits.queue_length", "greater than 0")),
        ("[styles.x]\nprompt = 'no place for it'", ("styles.x.prompt", "pattern")),
        ("[models.'no good']\npath = 'x'", ("models", "pattern")),
        ("[engine", ("TOML",)),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, text))
    for word in words:
        assert word in str(caught.value)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, "[engine]\nmax_rows = 1\n[limits]\nmax_steps = 0"))
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        load(tmp_path / "nowhere.toml")


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_ENGINE__DEVICE", "cuda:0, cuda:1")
    monkeypatch.setenv("LIMNER_ENGINE__MAX_ROWS", "8")
    settings = load(write(tmp_path, "[engine]\nmax_rows = 4\ndtype = 'float32'"))
    assert settings.engine.devices == ("cuda:0", "cuda:1")
    assert (settings.engine.max_rows, settings.engine.dtype) == (8, "float32")


def test_a_wrong_variable_is_blamed_on_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_ENGINE__DTYPE", "floaty")
    with pytest.raises(SettingsError, match=r"the environment: engine\.dtype"):
        load(write(tmp_path, ""))


def test_a_variable_of_no_section_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_ENGIN__DTYPE", "float32")
    with pytest.raises(SettingsError, match="LIMNER_ENGINE__"):
        load(write(tmp_path, ""))


def test_paths_are_relative_to_the_file_and_house_is_the_shipped_model(tmp_path: Path) -> None:
    settings = load(
        write(
            tmp_path,
            "[models.a]\npath = 'house'\n[models.b]\npath = 'weights/b'\n"
            "[loras.c]\npath = 'c.safetensors'\n[storage]\nfolder = 'kept'",
        )
    )
    assert list(settings.models) == ["a", "b"]
    assert settings.models["a"].path == HOUSE_MODEL
    assert settings.models["b"].path == tmp_path / "weights" / "b"
    assert settings.loras["c"].path == tmp_path / "c.safetensors"
    assert settings.storage.folder == tmp_path / "kept"


def test_limner_config_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_path() == SHIPPED_CONFIG
    here = write(tmp_path, "")
    assert config_path().resolve() == here
    monkeypatch.setenv("LIMNER_CONFIG", "elsewhere.toml")
    assert config_path().name == "elsewhere.toml"


def test_settings_do_not_change() -> None:
    settings = load(SHIPPED_CONFIG)
    sections = [value for _, value in settings if isinstance(value, BaseModel)]
    for model in (settings, *sections):
        assert model.model_config.get("frozen") is True
        assert model.model_config.get("extra") == "forbid"


def test_the_token_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(write(tmp_path, "")).token is None
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    from_file = load(write(tmp_path, "[discord]\ntoken_file = 'token'"))
    assert from_file.token == TOKEN
    monkeypatch.setenv("DISCORD_TOKEN", "other")
    assert from_file.token == "other"
    monkeypatch.setenv("LIMNER_DISCORD__TOKEN", "third")
    assert load(write(tmp_path, "")).token == "third"


def test_a_token_in_the_settings_file_is_refused_without_repeating_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, f"[discord]\ntoken = '{TOKEN}'"))
    assert TOKEN not in str(caught.value)


def test_a_token_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    settings = load(write(tmp_path, "[discord]\ntoken_file = 'nowhere'"))
    with pytest.raises(SettingsError, match="token_file"):
        _ = settings.token


def test_no_token_reaches_a_log_or_a_representation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LIMNER_DISCORD__TOKEN", TOKEN)
    settings = load(write(tmp_path, ""))
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("limner").debug("%s %r", settings, settings.model_dump())
    assert TOKEN not in caplog.text
    assert TOKEN not in settings.model_dump_json()
