"""What a user asked for, whole: stored as JSON with the job, and made again from it.

How it is judged and priced is `studio`'s; how it becomes requests stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from ..pipelines.request import Lora, Request
from .errors import RefusedError

if TYPE_CHECKING:
    from ..pipelines.pictures import Picture


class Kind(StrEnum):
    IMAGINE = "imagine"
    VARIATION = "variation"
    INPAINT = "inpaint"


@dataclass(frozen=True, slots=True)
class Canvas:
    """The whole picture of which a part is painted anew, and into which it is pasted back."""

    picture: str
    """SHA-256, as every picture here."""
    mask: str
    """Of the whole picture; white is painted."""
    window: tuple[int, int, int, int]
    """Left, top, right, bottom, in pixels of the picture: what the model gets to see."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One to four pictures of one prompt. What is None takes the model's default.

    Pictures stand here by the SHA-256 under which storage keeps their bytes.
    """

    prompt: str
    kind: Kind = Kind.IMAGINE
    negative_prompt: str = ""
    count: int = 1
    seed: int | None = None
    """Picture i is painted with seed + i."""
    steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    width: int | None = None
    """Pixels; so is `height`."""
    height: int | None = None
    model: str = ""
    loras: tuple[Lora, ...] = ()
    style: str = ""
    """A configured style's name; its words join the prompt when it is painted, not here."""
    init_image: str = ""
    mask_image: str = ""
    """White is painted, black is kept."""
    canvas: Canvas | None = None
    """Set when `init_image` and `mask_image` are a part of a larger whole."""
    strength: float | None = None
    is_private: bool = False
    parent_picture_id: int | None = None
    notes: tuple[str, ...] = ()
    """What was done to its picture that its card should say."""

    @property
    def input_hashes(self) -> tuple[str, ...]:
        """Every stored picture that painting this needs."""
        whole = (self.canvas.picture, self.canvas.mask) if self.canvas else ()
        return tuple(filter(None, (self.init_image, self.mask_image, *whole)))

    def to_json(self) -> str:
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Ask:
        """Raises `RefusedError` where the stored text is not an ask."""
        try:
            return _ADAPTER.validate_json(text)
        except ValidationError as error:
            raise RefusedError("This picture's settings can't be read any more.") from error

    def requests(
        self, *, tenant: str, init_image: Picture | None, mask_image: Picture | None
    ) -> tuple[Request, ...]:
        """One request a picture, each with a seed of its own: `seed` is drawn by now."""
        assert self.seed is not None
        return tuple(
            Request(
                self.prompt,
                negative_prompt=self.negative_prompt,
                seed=self.seed + index,
                steps=self.steps,
                guidance_scale=self.guidance_scale,
                sampler=self.sampler,
                width=self.width,
                height=self.height,
                init_image=init_image,
                mask_image=mask_image,
                strength=self.strength,
                loras=self.loras,
                model=self.model,
                tenant=tenant,
            )
            for index in range(self.count)
        )


_ADAPTER = TypeAdapter(Ask)
