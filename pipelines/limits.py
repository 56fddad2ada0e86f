"""What a request may ask for, judged without torch: defaults, limits, rows; painting is `engine`'s.

The bot calls these before it takes a job, the engine again when it gets one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .checkpoint import Task
from .errors import InvalidRequestError

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .request import Request

_WITH_KARRAS: Final = (
    "euler",
    "heun",
    "lms",
    "kdpm2",
    "kdpm2_a",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dpmpp_3m",
    "dpmpp_singlestep",
    "deis",
    "unipc",
    "sa",
)
_WITHOUT_KARRAS: Final = ("ddim", "ddpm", "plms", "euler_a", "lcm", "tcd")

SAMPLERS: Final[tuple[str, ...]] = tuple(
    sorted((*_WITHOUT_KARRAS, *_WITH_KARRAS, *(f"{name}_karras" for name in _WITH_KARRAS)))
)
"""Every sampler's name, sorted; `sampling.recipes` says what stands behind each."""

MAX_STEPS: Final = 150
MAX_STEPS_DISTILLED: Final = 50
"""LCM and TCD pick their steps from 50 that they were distilled on."""
MAX_GUIDANCE: Final = 30.0
MAX_SEED: Final = 2**63 - 1
MAX_PROMPT_CHARACTERS: Final = 4000
MIN_SIDE_LATENTS: Final = 8
"""A denoiser halves its input three times; below this nothing is left."""
MAX_AREA: Final = 4
"""Times the square that the model was trained on."""
MAX_ASPECT: Final = 4

_TWO_CALLS_A_STEP: Final = (
    "heun",
    "kdpm2",
    "kdpm2_a",
    "heun_karras",
    "kdpm2_karras",
    "kdpm2_a_karras",
)


def fill(request: Request, checkpoint: Checkpoint) -> Request:
    """The same request with every default that the checkpoint has; only the seed may stay None."""
    width, height = _size(request, checkpoint)
    return replace(
        request,
        steps=checkpoint.steps if request.steps is None else request.steps,
        guidance_scale=(
            checkpoint.guidance_scale if request.guidance_scale is None else request.guidance_scale
        ),
        sampler=checkpoint.sampler if request.sampler is None else request.sampler,
        strength=_strength(request, checkpoint),
        eta=0.0 if request.eta is None else request.eta,
        width=width,
        height=height,
        model=request.model or checkpoint.name,
    )


def check(request: Request, checkpoint: Checkpoint) -> None:
    """Raises `InvalidRequestError`, one sentence, if this checkpoint can never paint it."""
    filled = fill(request, checkpoint)
    _check_numbers(filled)
    _check_size(filled, checkpoint)
    _check_pictures(filled, checkpoint)


def rows_of(request: Request, checkpoint: Checkpoint) -> int:
    """Rows of the forward pass that the request takes."""
    scale = request.guidance_scale
    return num_rows(checkpoint.guidance_scale if scale is None else scale, checkpoint)


def num_rows(guidance_scale: float, checkpoint: Checkpoint) -> int:
    """One, or two with guidance; one too where the denoiser takes the scale itself."""
    return 2 if guidance_scale > 1 and not checkpoint.is_guidance_embedded else 1


def ticks_of(request: Request, checkpoint: Checkpoint | None = None) -> int:
    """Forward passes that the request takes; what a price is made of, beside rows and pixels."""
    filled = request if checkpoint is None else fill(request, checkpoint)
    assert filled.steps is not None
    assert filled.sampler is not None
    return num_ticks(
        filled.sampler, filled.steps, 1.0 if filled.init_image is None else filled.strength or 1.0
    )


def num_ticks(sampler: str, steps: int, strength: float = 1.0) -> int:
    """Forward passes of so many steps, of which painting over a picture takes only a share."""
    steps = max(1, min(int(steps * strength), steps))
    if sampler in _TWO_CALLS_A_STEP:
        return max(1, 2 * steps - 1)
    return steps + 1 if sampler == "plms" else steps


def _strength(request: Request, checkpoint: Checkpoint) -> float | None:
    if request.init_image is None:
        return None
    if request.strength is not None:
        return request.strength
    return 1.0 if request.mask_image is not None else checkpoint.strength


def _size(request: Request, checkpoint: Checkpoint) -> tuple[int, int]:
    """What is asked; else the first picture's, brought into the limits; else the trained square."""
    width, height = request.width, request.height
    picture = request.init_image
    if picture is None or width is not None or height is not None:
        return width or checkpoint.size_px, height or checkpoint.size_px
    multiple = checkpoint.size_multiple_px
    scale = min(1.0, (MAX_AREA * checkpoint.size_px**2 / (picture.width * picture.height)) ** 0.5)
    least = MIN_SIDE_LATENTS * multiple
    return (
        max(least, int(picture.width * scale) // multiple * multiple),
        max(least, int(picture.height * scale) // multiple * multiple),
    )


def _check_numbers(request: Request) -> None:
    assert request.steps is not None
    assert request.guidance_scale is not None
    assert request.sampler is not None
    assert request.eta is not None
    if len(request.prompt) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequestError(f"A prompt has at most {MAX_PROMPT_CHARACTERS} characters.")
    if len(request.negative_prompt) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequestError(
            f"A negative prompt has at most {MAX_PROMPT_CHARACTERS} characters."
        )
    if request.sampler not in SAMPLERS:
        raise InvalidRequestError(
            f"There is no sampler called {request.sampler!r}; try dpmpp_2m, euler or ddim."
        )
    is_distilled = request.sampler in ("lcm", "tcd")
    most = MAX_STEPS_DISTILLED if is_distilled else MAX_STEPS
    if not 1 <= request.steps <= most:
        name = f" with {request.sampler}" if is_distilled else ""
        raise InvalidRequestError(f"Steps{name} go from 1 to {most}, not {request.steps}.")
    if not 0 <= request.guidance_scale <= MAX_GUIDANCE:
        raise InvalidRequestError(
            f"Guidance goes from 0 to {MAX_GUIDANCE:g}, not {request.guidance_scale:g}."
        )
    if request.seed is not None and not 0 <= request.seed <= MAX_SEED:
        raise InvalidRequestError(f"A seed is a whole number from 0 to {MAX_SEED}.")
    if not 0 <= request.guidance_rescale <= 1:
        raise InvalidRequestError("Guidance rescale goes from 0 to 1.")
    if not 0 <= request.eta <= 1:
        raise InvalidRequestError("Eta goes from 0 to 1.")
    if not 0 <= request.clip_skip <= 4:
        raise InvalidRequestError("Clip skip goes from 0 to 4.")
    if any(lora.weight is not None and not -4 <= lora.weight <= 4 for lora in request.loras):
        raise InvalidRequestError("An adapter's weight goes from -4 to 4.")


def _check_size(request: Request, checkpoint: Checkpoint) -> None:
    width, height = request.width, request.height
    assert width is not None
    assert height is not None
    multiple, side = checkpoint.size_multiple_px, checkpoint.size_px
    if width % multiple or height % multiple:
        raise InvalidRequestError(
            f"Width and height are multiples of {multiple} pixels, not {width} by {height}."
        )
    least = MIN_SIDE_LATENTS * multiple
    if min(width, height) < least:
        raise InvalidRequestError(f"A side has at least {least} pixels.")
    if width * height > MAX_AREA * side * side or max(width, height) > MAX_ASPECT * side:
        raise InvalidRequestError(
            f"{width} by {height} is too big for this model; it paints up to about "
            f"{2 * side} by {2 * side} pixels."
        )


def _check_pictures(request: Request, checkpoint: Checkpoint) -> None:
    assert request.steps is not None
    if request.init_image is None:
        if request.mask_image is not None:
            raise InvalidRequestError("A mask needs the picture that it belongs to.")
        if checkpoint.task is Task.INPAINT:
            raise InvalidRequestError(
                "This model only repaints parts of a picture: give it a picture and a mask."
            )
        return
    assert request.strength is not None
    if checkpoint.task is Task.INPAINT and request.mask_image is None:
        raise InvalidRequestError(
            "This model only repaints parts of a picture: give it a mask beside the picture."
        )
    if not 0 < request.strength <= 1:
        raise InvalidRequestError("Strength goes from just above 0 to 1.")
    if int(request.steps * request.strength) < 1:
        raise InvalidRequestError(
            f"A strength of {request.strength:g} leaves none of {request.steps} steps: "
            "raise either."
        )
    for picture in (request.init_image, request.mask_image):
        if picture is not None and (picture.width < 1 or picture.height < 1):
            raise InvalidRequestError("A picture without any pixels can't be painted over.")
