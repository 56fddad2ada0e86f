"""The immutable ask that the engine gets: one picture, one seed. What it means is the engine's."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pictures import Picture


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter by its configured name, and how strongly it is applied."""

    name: str
    weight: float | None = None
    """None: the adapter's own, as the owner configured it."""

    @property
    def tag(self) -> str:
        """As people type it: `<lora:ink:0.8>`."""
        weight = "" if self.weight is None else f":{self.weight:g}"
        return f"<lora:{self.name}{weight}>"


@dataclass(frozen=True, slots=True)
class Request:
    """One picture to paint; what is None takes the model's default. Picklable."""

    prompt: str
    _: KW_ONLY
    negative_prompt: str = ""
    seed: int | None = None
    """None: the engine draws one and tells it in the result."""
    steps: int | None = None
    guidance_scale: float | None = None
    """At most 1 paints without guidance: one row instead of two."""
    sampler: str | None = None
    width: int | None = None
    """Pixels; so is `height`."""
    height: int | None = None
    init_image: Picture | None = None
    mask_image: Picture | None = None
    """White is painted, black is kept."""
    strength: float | None = None
    """Share of the run that is painted over `init_image`, 0 to 1."""
    guidance_rescale: float = 0.0
    eta: float | None = None
    clip_skip: int = 0
    loras: tuple[Lora, ...] = ()
    model: str = ""
    """A configured checkpoint's name; empty: the default one."""
    tenant: str = ""
    """An opaque name for fairness; nothing else reads it."""
