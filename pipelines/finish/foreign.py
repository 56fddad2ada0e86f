"""How other tools write a picture's parameters: the web UI's "parameters" text, InvokeAI's JSON.

Written and read leniently, since there is no standard; never believed beyond plausible ranges.
Source: AUTOMATIC1111 stable-diffusion-webui, modules/infotext_utils.py; InvokeAI's
`invokeai_metadata`.
"""

from __future__ import annotations

import json
import re
from typing import cast

from ..request import Lora
from .parameters import Parameters, real, whole

_NAMES = {
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "deis": "DEIS",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_3m": "DPM++ 3M",
    "dpmpp_singlestep": "DPM++ 2S",
    "euler": "Euler",
    "euler_a": "Euler a",
    "heun": "Heun",
    "kdpm2": "DPM2",
    "kdpm2_a": "DPM2 a",
    "lcm": "LCM",
    "lms": "LMS",
    "plms": "PLMS",
    "sa": "SA Solver",
    "tcd": "TCD",
    "unipc": "UniPC",
}
_OURS = {name.lower(): ours for ours, name in _NAMES.items()} | {
    "dpm++ 2s a": "dpmpp_singlestep",
    "dpm++ 3m sde": "dpmpp_3m",
    "k_euler": "euler",
    "k_euler_a": "euler_a",
    "k_heun": "heun",
    "k_lms": "lms",
    "pndm": "plms",
}
_KARRAS = "_karras"

# Possessive and bounded: the text may be anybody's, and must not be quadratic work.
_SETTING = re.compile(r'([\w ]{1,60}+):[ ]?("(?:\\.|[^\\"]){0,2000}+"|[^,]{0,2000}+)(?:,|$)')
_LORA = re.compile(r"<lora:([^:<>]{1,200})(?::(-?\d{1,3}(?:\.\d{1,6})?))?[^<>]{0,50}>")
_MOST_SETTINGS = 8192
_NEGATIVE = "Negative prompt:"


def webui_text(parameters: Parameters, version: str = "") -> str:
    """The text that the web UI and what reads its files understand."""
    p = parameters
    prompt = p.prompt + "".join(f" {lora.tag}" for lora in p.loras)
    lines = [prompt]
    if p.negative_prompt:
        lines.append(f"{_NEGATIVE} {p.negative_prompt}")
    settings: list[tuple[str, object]] = []
    if p.steps is not None:
        settings.append(("Steps", p.steps))
    if p.sampler:
        sampler, is_karras = p.sampler.removesuffix(_KARRAS), p.sampler.endswith(_KARRAS)
        settings.append(("Sampler", _NAMES.get(sampler, sampler)))
        if is_karras:
            settings.append(("Schedule type", "Karras"))
    if p.guidance_scale is not None:
        settings.append(("CFG scale", f"{p.guidance_scale:g}"))
    if p.seed is not None:
        settings.append(("Seed", p.seed))
    if p.width and p.height:
        settings.append(("Size", f"{p.width}x{p.height}"))
    if p.model_fingerprint:
        settings.append(("Model hash", p.model_fingerprint[:10]))
    if p.model:
        settings.append(("Model", p.model))
    if p.strength is not None:
        settings.append(("Denoising strength", f"{p.strength:g}"))
    if p.clip_skip:
        # The web UI counts from 1, which is no layer skipped.
        settings.append(("Clip skip", p.clip_skip + 1))
    if p.eta:
        settings.append(("Eta", f"{p.eta:g}"))
    if p.guidance_rescale:
        settings.append(("CFG Rescale phi", f"{p.guidance_rescale:g}"))
    settings.append(("Version", f"Limner {version}".strip()))
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in settings))
    return "\n".join(lines)


def from_webui_text(text: str) -> Parameters | None:
    """Reads such a text; None where there is nothing to read."""
    lines = text.strip().split("\n")
    settings = {
        name.strip(): _unquoted(value)
        for name, value in _SETTING.findall(lines[-1][:_MOST_SETTINGS])
    }
    if "Steps" in settings or "Seed" in settings:
        lines = lines[:-1]
    else:
        settings = {}
    positive: list[str] = []
    negative: list[str] = []
    side = positive
    for line in lines:
        rest = line
        if line.strip().startswith(_NEGATIVE):
            side = negative
            rest = line.strip()[len(_NEGATIVE) :].strip()
        side.append(rest)
    prompt = "\n".join(positive).strip()
    loras = tuple(
        Lora(name, float(weight) if weight else None) for name, weight in _LORA.findall(prompt)[:32]
    )
    prompt = _LORA.sub("", prompt).strip() if loras else prompt
    if not prompt and not settings:
        return None
    width, _, height = settings.get("Size", "").partition("x")
    return Parameters(
        prompt=prompt,
        negative_prompt="\n".join(negative).strip(),
        seed=whole(settings.get("Seed"), 0, (1 << 64) - 1),
        steps=whole(settings.get("Steps"), 1, 10_000),
        guidance_scale=real(settings.get("CFG scale"), 0, 1_000),
        sampler=_our_sampler(settings.get("Sampler", ""), settings.get("Schedule type", "")),
        width=whole(width, 1, 65_536),
        height=whole(height, 1, 65_536),
        strength=real(settings.get("Denoising strength"), 0, 1),
        guidance_rescale=real(settings.get("CFG Rescale phi"), 0, 1) or 0.0,
        eta=real(settings.get("Eta"), 0, 1),
        clip_skip=max(0, (whole(settings.get("Clip skip"), 1, 24) or 1) - 1),
        loras=loras,
        model=settings.get("Model", "")[:200],
        model_fingerprint=settings.get("Model hash", "")[:200],
        task="image" if "Denoising strength" in settings else "text",
        software=settings.get("Version", "")[:64],
    )


def from_invoke_json(text: str) -> Parameters | None:
    """Reads InvokeAI's `invokeai_metadata`; None where it is something else."""
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    fields = cast("dict[str, object]", parsed)
    prompt, negative = fields.get("positive_prompt"), fields.get("negative_prompt")
    if not isinstance(prompt, str):
        return None
    model = fields.get("model")
    name = cast("dict[str, object]", model).get("name") if isinstance(model, dict) else None
    sampler = fields.get("scheduler")
    return Parameters(
        prompt=prompt,
        negative_prompt=negative if isinstance(negative, str) else "",
        seed=whole(fields.get("seed"), 0, (1 << 64) - 1),
        steps=whole(fields.get("steps"), 1, 10_000),
        guidance_scale=real(fields.get("cfg_scale"), 0, 1_000),
        sampler=_our_sampler(sampler, "") if isinstance(sampler, str) else None,
        width=whole(fields.get("width"), 1, 65_536),
        height=whole(fields.get("height"), 1, 65_536),
        strength=real(fields.get("strength"), 0, 1),
        model=name[:200] if isinstance(name, str) else "",
        software="InvokeAI",
    )


def _our_sampler(name: str, schedule: str) -> str | None:
    """Our name of theirs; theirs, as it is, where we have none."""
    name = name.strip()
    is_karras = schedule == "Karras" or name.endswith(" Karras")
    name = name.removesuffix(" Karras")
    if name.endswith("_k") and name.lower() not in _OURS:
        name, is_karras = name[:-2], True
    ours = _OURS.get(name.lower()) or (name if name in _NAMES else None)
    if ours is None:
        return name[:64] or None
    return ours + _KARRAS if is_karras else ours


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if any(c in value for c in ',\n:"') else value


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) < 2 or not (value.startswith('"') and value.endswith('"')):
        return value
    try:
        inner: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return inner if isinstance(inner, str) else value
