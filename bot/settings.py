"""config.toml and the environment, read into frozen settings. What a setting does is its reader's.

Every key stands with its meaning in the config.toml at the top of the repository; here are its type
and what is allowed. The environment wins: LIMNER_ENGINE__DTYPE=float32 sets `engine.dtype`.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from .errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

SHIPPED_CONFIG = Path(__file__).parent.parent / "config.toml"
"""The documented default: at the top of the repository, and beside the packages in a wheel."""

HOUSE_MODEL = Path(__file__).parent.parent / "pipelines" / "house"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,49}$")]
"""What people type after --model, --style or <lora:"""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DiscordSettings(_Section):
    token: SecretStr | None = Field(default=None, exclude=True)
    """From the environment only; a config file that holds one is refused."""
    token_file: Path | None = None
    test_guild: NonNegativeInt = 0
    edit_interval_s: float = Field(default=2.5, ge=1, le=60)


class ModelSettings(_Section):
    path: Path
    steps: PositiveInt | None = None
    guidance_scale: NonNegativeFloat | None = None
    sampler: str | None = None
    strength: float | None = Field(default=None, gt=0, le=1)
    size_px: PositiveInt | None = None


class LoraSettings(_Section):
    path: Path
    weight: float = 1.0


class StyleSettings(_Section):
    prompt: str = Field(default="{prompt}", pattern=r"\{prompt\}")
    negative_prompt: str = ""


class EngineSettings(_Section):
    device: str = Field(
        default="auto", pattern=r"^\s*(auto|cpu|mps|cuda(:\d+)?(\s*,\s*cuda:\d+)*)\s*$"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    memory_gib: NonNegativeFloat = 0
    max_rows: int = Field(default=32, ge=2, le=64)
    compile: bool = False
    threads: NonNegativeInt = 0

    @property
    def devices(self) -> tuple[str, ...]:
        """One worker each."""
        return tuple(part.strip() for part in self.device.split(","))


class LimitSettings(_Section):
    queue_length: PositiveInt = 200
    waiting_per_user: PositiveInt = 10
    waiting_per_server: PositiveInt = 100
    running_per_user: PositiveInt = 4
    prompt_length: int = Field(default=1500, ge=1, le=6000)
    max_steps: int = Field(default=100, ge=1, le=1000)
    max_area: PositiveFloat = 2.25
    credits_per_day: NonNegativeFloat = 200
    attachment_mib: PositiveFloat = 10
    attachment_megapixels: PositiveFloat = 40


class StorageSettings(_Section):
    folder: Path = Path("data")
    keep_days: NonNegativeFloat = 0
    keep_gib: NonNegativeFloat = 0
    free_mib: NonNegativeFloat = 200


class SafetySettings(_Section):
    checker: str = Field(default="opennsfw", min_length=1)
    threshold: float = Field(default=0.5, gt=0, lt=1)
    blocked_words: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether the checker is named by the path of its folder."""
        return self.checker not in ("opennsfw", "none")


class LoggingSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    prompts: bool = False
    format: Literal["text", "json"] = "text"
    metrics_port: int = Field(default=0, ge=0, le=65535)


def _house() -> dict[str, ModelSettings]:
    return {"house": ModelSettings(path=Path("house"))}


class Settings(BaseSettings):
    """The whole of it. Frozen; made by `load`."""

    model_config = {
        "extra": "forbid",
        "frozen": True,
        "env_prefix": "LIMNER_",
        "env_nested_delimiter": "__",
    }

    discord: DiscordSettings = DiscordSettings()
    models: dict[Name, ModelSettings] = Field(default_factory=_house, min_length=1)
    loras: dict[Name, LoraSettings] = Field(default_factory=dict[str, LoraSettings])
    styles: dict[Name, StyleSettings] = Field(default_factory=dict[str, StyleSettings])
    engine: EngineSettings = EngineSettings()
    limits: LimitSettings = LimitSettings()
    storage: StorageSettings = StorageSettings()
    safety: SafetySettings = SafetySettings()
    logging: LoggingSettings = LoggingSettings()

    @property
    def private_folders(self) -> tuple[Path, ...]:
        """Where the owner keeps models and checker: nobody's business but theirs."""
        paths = {model.path for model in self.models.values()}
        if self.safety.is_folder:
            paths.add(Path(self.safety.checker))
        return tuple({path.parent for path in paths})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @property
    def token(self) -> str | None:
        """The bot's token from the environment or the token file, None where there is neither.

        Raises `SettingsError` when the token file can't be read.
        """
        if self.discord.token is not None:
            return self.discord.token.get_secret_value()
        if plain := os.environ.get("DISCORD_TOKEN"):
            return plain.strip()
        if self.discord.token_file is None:
            return None
        try:
            return self.discord.token_file.read_text(encoding="utf-8").strip() or None
        except OSError as error:
            raise SettingsError(
                f"The token file {self.discord.token_file} can't be read"
                f" ({error.strerror}): correct [discord] token_file."
            ) from error


def config_path() -> Path:
    """The file that holds: LIMNER_CONFIG's, then ./config.toml, then the shipped one."""
    if named := os.environ.get("LIMNER_CONFIG"):
        return Path(named)
    here = Path("config.toml")
    return here if here.is_file() else SHIPPED_CONFIG


def load(path: Path | None = None) -> Settings:
    """Reads and validates the settings; relative paths in the file are relative to it.

    Raises `SettingsError`: one line a mistake, each with the file, the key, and what is allowed.
    """
    path = path or config_path()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    if "token" in cast("Mapping[str, object]", values.get("discord") or {}):
        raise SettingsError(
            f"{path}: a token does not belong into a settings file; set LIMNER_DISCORD__TOKEN"
            " in the environment, or name a file in [discord] token_file."
        )
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError("\n".join(_mistakes(error, path, values))) from None
    _refuse_unknown_variables()
    return _anchored(settings, Path.cwd() if path == SHIPPED_CONFIG else path.resolve().parent)


def _anchored(settings: Settings, base: Path) -> Settings:
    """Relative paths made absolute, and "house" turned into the shipped model's folder."""

    def at(path: Path) -> Path:
        return path if path.is_absolute() else base / path.expanduser()

    models = {
        name: model.model_copy(
            update={"path": HOUSE_MODEL if model.path == Path("house") else at(model.path)}
        )
        for name, model in settings.models.items()
    }
    loras = {
        name: lora.model_copy(update={"path": at(lora.path)})
        for name, lora in settings.loras.items()
    }
    storage = settings.storage.model_copy(update={"folder": at(settings.storage.folder)})
    safety = settings.safety
    if safety.is_folder:
        safety = safety.model_copy(update={"checker": str(at(Path(safety.checker)))})
    token_file = settings.discord.token_file
    discord = settings.discord
    if token_file == Path() or token_file is None:
        discord = discord.model_copy(update={"token_file": None})
    else:
        discord = discord.model_copy(update={"token_file": at(token_file)})
    return settings.model_copy(
        update={
            "models": models,
            "loras": loras,
            "storage": storage,
            "safety": safety,
            "discord": discord,
        }
    )


def _mistakes(error: ValidationError, path: Path, values: Mapping[str, Any]) -> Iterator[str]:
    for detail in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in detail["loc"] if part != "[key]"]
        origin = "the environment" if _is_from_environment(place, values) else str(path)
        yield f"{origin}: {_sentence(place, detail)}"


def _sentence(place: list[str], detail: ErrorDetails) -> str:
    key = ".".join(place)
    if detail["type"] == "extra_forbidden":
        close = get_close_matches(place[-1], known_keys(place[:-1]), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else "delete it."
        return f"there is no setting {key!r}; {hint}"
    message = detail["msg"]
    return f"{key}: {message[0].lower()}{message[1:]}."


def known_keys(place: list[str]) -> list[str]:
    """The keys of a section, named by its path: [] is the top."""
    model: type[BaseModel] = Settings
    for part in place:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
        elif part in _NAMED_SECTIONS:
            model = _NAMED_SECTIONS[part]
    return list(model.model_fields)


_NAMED_SECTIONS: dict[str, type[BaseModel]] = {
    "models": ModelSettings,
    "loras": LoraSettings,
    "styles": StyleSettings,
}


def _is_from_environment(place: list[str], values: Mapping[str, Any]) -> bool:
    variable = EnvSettingsSource(Settings).env_prefix + "__".join(place)
    if not any(name.upper() == variable.upper() for name in os.environ):
        return False
    node: Any = values
    for part in place:
        if not isinstance(node, dict) or part not in node:
            return True
        node = cast("dict[str, Any]", node)[part]
    return True


_OTHER_VARIABLES = frozenset({"LIMNER_CONFIG", "LIMNER_REQUIRE_BROWSER"})


def _refuse_unknown_variables() -> None:
    """A LIMNER_ variable that names nothing is a typing mistake, and silence would hide it."""
    for name in os.environ:
        if not name.startswith("LIMNER_") or name in _OTHER_VARIABLES:
            continue
        section = name.removeprefix("LIMNER_").lower().split("__")[0]
        if section not in Settings.model_fields:
            close = get_close_matches(section, list(Settings.model_fields), n=1, cutoff=0.5)
            hint = f"; did you mean LIMNER_{close[0].upper()}__...?" if close else "."
            raise SettingsError(f"the environment: {name} names no section of the settings{hint}")
