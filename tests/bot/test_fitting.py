"""Pictures made to fit what Discord takes."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from limner.bot.fitting import DEFAULT_BYTES, MAX_FILES, Named, fit, fit_one


def noise(side: int, mode: str = "RGB") -> bytes:
    """PNG that no encoder makes small without loss."""
    pixels = random.Random(7).randbytes(side * side * len(mode))
    out = io.BytesIO()
    Image.frombytes(mode, (side, side), pixels).save(out, "PNG")
    return out.getvalue()


def opened(file: Named) -> Image.Image:
    return Image.open(io.BytesIO(file.data))


async def test_what_fits_stays_byte_for_byte():
    picture = Named("a.png", noise(32))
    assert await fit([picture], len(picture.data)) == [picture]


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.05, 0.01])
async def test_what_does_not_fit_is_encoded_anew_below_the_limit(share: float):
    picture = Named("a.png", noise(256))
    limit = int(len(picture.data) * share)
    fitted = await fit_one(picture, limit)
    assert len(fitted.data) <= limit
    image = opened(fitted)
    assert image.format == {"webp": "WEBP", "jpg": "JPEG"}[fitted.name.split(".")[1]]
    assert image.width == image.height <= 256


async def test_lossless_comes_before_lossy():
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(out, "PNG", compress_level=0)
    picture = Named("a.png", out.getvalue())
    fitted = await fit_one(picture, len(picture.data) * 2 // 3)
    assert opened(fitted).convert("RGB").tobytes() == opened(picture).tobytes()


async def test_transparency_survives_where_the_format_has_it():
    picture = Named("a.png", noise(64, "RGBA"))
    fitted = await fit_one(picture, len(picture.data) - 1)
    assert fitted.name == "a.webp"
    assert opened(fitted).has_transparency_data


async def test_many_pictures_fit_together_into_a_request():
    pictures = [Named(f"{i}.png", noise(256)) for i in range(12)]
    whole = sum(len(picture.data) for picture in pictures)
    fitted = await fit(pictures, DEFAULT_BYTES, request_bytes=whole // 2)
    assert len(fitted) == MAX_FILES
    assert sum(len(picture.data) for picture in fitted) <= whole // 2 - 200_000
