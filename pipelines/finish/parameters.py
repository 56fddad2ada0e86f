"""What a picture was made with, as a value: the one meaning of our JSON and of foreign texts.

How it gets into a file and out again is png's, how other tools write it is foreign's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, cast

from ..request import Lora

if TYPE_CHECKING:
    from ..request import Request

_MOST_TEXT = 20_000
"""Characters of a prompt that are read back."""
_MOST_LORAS = 32


@dataclass(frozen=True, slots=True)
class Parameters:
    """None is what the file does not say."""

    prompt: str
    negative_prompt: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    width: int | None = None
    height: int | None = None
    strength: float | None = None
    guidance_rescale: float = 0.0
    eta: float | None = None
    clip_skip: int = 0
    loras: tuple[Lora, ...] = ()
    model: str = ""
    model_fingerprint: str = ""
    task: str = "text"
    """text, image (over a picture) or inpaint."""
    software: str = "Limner"

    def to_json(self) -> str:
        """Compact, keys in the order above, what is empty or None left out; ASCII only."""
        return json.dumps(
            {k: v for k, v in asdict(self).items() if v not in (None, "", (), [])},
            separators=(",", ":"),
        )


def parameters_of(request: Request, seed: int, model: str, model_fingerprint: str) -> Parameters:
    """Of a request whose defaults are filled in, as a result carries it."""
    task = "text" if request.init_image is None else "image"
    return Parameters(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        seed=seed,
        steps=request.steps,
        guidance_scale=request.guidance_scale,
        sampler=request.sampler,
        width=request.width,
        height=request.height,
        strength=request.strength if task == "image" else None,
        guidance_rescale=request.guidance_rescale,
        eta=request.eta,
        clip_skip=request.clip_skip,
        loras=request.loras,
        model=model,
        model_fingerprint=model_fingerprint,
        task="inpaint" if request.mask_image is not None else task,
    )


def from_json(text: str) -> Parameters | None:
    """Our own JSON read back; None when it is not ours. Wrong values are left out, not believed."""
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    fields = cast("dict[str, object]", parsed)
    prompt = fields.get("prompt", "")
    if not isinstance(prompt, str):
        return None
    return Parameters(
        prompt=prompt[:_MOST_TEXT],
        negative_prompt=_text(fields, "negative_prompt"),
        seed=whole(fields.get("seed"), 0, (1 << 64) - 1),
        steps=whole(fields.get("steps"), 1, 10_000),
        guidance_scale=real(fields.get("guidance_scale"), 0, 1_000),
        sampler=_text(fields, "sampler")[:64] or None,
        width=whole(fields.get("width"), 1, 65_536),
        height=whole(fields.get("height"), 1, 65_536),
        strength=real(fields.get("strength"), 0, 1),
        guidance_rescale=real(fields.get("guidance_rescale"), 0, 1) or 0.0,
        eta=real(fields.get("eta"), 0, 1),
        clip_skip=whole(fields.get("clip_skip"), 0, 24) or 0,
        loras=_loras(fields.get("loras")),
        model=_text(fields, "model")[:200],
        model_fingerprint=_text(fields, "model_fingerprint")[:200],
        task=_text(fields, "task")[:16] or "text",
        software=_text(fields, "software")[:64],
    )


def whole(value: object, least: int, most: int) -> int | None:
    """An integer in range, from a number or a text; None otherwise."""
    if isinstance(value, str):
        # `int` takes time quadratic in a text's length, and the text may be anybody's.
        digits = value.strip()
        value = int(digits) if len(digits) <= 20 and digits.isascii() and digits.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def real(value: object, least: float, most: float) -> float | None:
    """A finite number in range, from a number or a text; None otherwise."""
    if isinstance(value, str):
        try:
            value = float(value.strip()[:40])
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) and least <= number <= most else None


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name, "")
    return value[:_MOST_TEXT] if isinstance(value, str) else ""


def _loras(value: object) -> tuple[Lora, ...]:
    if not isinstance(value, list):
        return ()
    loras: list[Lora] = []
    for entry in cast("list[object]", value)[:_MOST_LORAS]:
        if isinstance(entry, dict):
            fields = cast("dict[str, object]", entry)
            told = fields.get("weight")
            weight = real(told, -100, 100)
            if (name := _text(fields, "name")[:200]) and (told is None or weight is not None):
                loras.append(Lora(name, weight))
    return tuple(loras)
