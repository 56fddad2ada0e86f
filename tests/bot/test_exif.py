"""A picture made smaller for Discord still says how it was painted; a camera's comment does not."""

from __future__ import annotations

import io
import random

import pytest
from PIL import ExifTags, Image

from limner.bot.decoding import decode
from limner.bot.fitting import Named, fit_one
from limner.pipelines.finish.parameters import Parameters
from limner.pipelines.finish.png import encode, exif_of

PARAMETERS = Parameters(
    prompt="ein rotes Herz ❤️, größer", negative_prompt="fog", seed=7, steps=12, sampler="euler"
)


def painting(parameters: Parameters = PARAMETERS) -> bytes:
    pixels = random.Random(7).randbytes(128 * 128 * 3)
    return encode(Image.frombytes("RGB", (128, 128), pixels), parameters)


@pytest.mark.parametrize("share", [0.9, 0.3])
async def test_what_was_encoded_anew_for_its_size_is_read_back(share: float) -> None:
    png = painting()
    fitted = await fit_one(Named("a.png", png), int(len(png) * share))
    assert fitted.name == "a.webp"
    assert decode(fitted.data).made_with == decode_text(png)


def decode_text(png: bytes) -> Parameters:
    """As another program reads it: without our own chunk."""
    image = Image.open(io.BytesIO(png))
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif_of(png))
    made_with = decode(out.getvalue()).made_with
    assert made_with is not None
    assert made_with.prompt == PARAMETERS.prompt
    assert (made_with.negative_prompt, made_with.seed, made_with.steps) == ("fog", 7, 12)
    assert made_with.sampler == "euler"
    return made_with


async def test_a_prompt_that_fills_a_small_file_stays_out_of_it() -> None:
    png = painting(Parameters(prompt="x" * 4000, steps=3))
    fitted = await fit_one(Named("a.png", png), 3000)
    assert len(fitted.data) <= 3000
    assert decode(fitted.data).made_with is None


@pytest.mark.parametrize(
    "comment", [b"", b"ASCII\0\0\0Steps", b"UNICODE\0\xd8", b"JIS\0\0\0\0\0x", 7]
)
def test_any_other_comment_is_none_of_ours(comment: bytes | int) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(out, "JPEG", exif=exif)
    assert decode(out.getvalue()).made_with is None
