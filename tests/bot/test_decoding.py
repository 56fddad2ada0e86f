"""What strangers send is read right, or refused with one sentence, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings

import pytest

from limner.bot.decoding import KEPT_PIXELS, Opened, decode, encode, flatten
from limner.bot.errors import RefusedError

from . import odd_pictures
from .odd_pictures import BAD, GOOD, animated, png, saved, scene, see_through, turned

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def read(name: str) -> Opened:
    return decode(GOOD[name]())


def near(pixel: object, wanted: tuple[int, ...], slack: int = 6) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= slack for a, b in zip(pixel, wanted, strict=True))


def test_there_are_fifty_odd_pictures():
    assert len(GOOD) + len(BAD) >= 50


@pytest.mark.parametrize("name", GOOD)
def test_it_is_read(name: str):
    with warnings.catch_warnings():
        # Pillow warns of the broken EXIF; the picture is fine.
        warnings.simplefilter("ignore", UserWarning)
        opened = read(name)
    assert opened.image.mode in ("RGB", "RGBA")
    assert opened.image.width * opened.image.height <= KEPT_PIXELS
    if opened.image.width < 100:
        assert decode(encode(opened.image)).image.tobytes() == opened.image.tobytes()


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_with_one_sentence(name: str):
    data = BAD[name]()
    began = time.process_time()
    with pytest.raises(RefusedError) as caught:
        decode(data)
    assert time.process_time() - began < 10
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert len(sentence) < 200
    assert sentence.count(". ") == 0


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photo_stands_upright(orientation: int):
    import io

    from PIL import Image, ImageOps

    data = turned(orientation)
    with Image.open(io.BytesIO(data)) as photo:
        upright = ImageOps.exif_transpose(photo)
    opened = decode(data)
    assert opened.image.tobytes() == upright.tobytes()
    assert (opened.width, opened.height) == upright.size


def test_transparency_is_kept_and_lies_on_white_for_painting():
    opened = decode(saved(see_through(), "PNG"))
    assert opened.image.mode == "RGBA"
    assert opened.image.getpixel((60, 40)) == (0, 0, 0, 0)
    assert opened.flat.getpixel((60, 40)) == WHITE
    assert opened.flat.getpixel((0, 0)) == RED


def test_a_picture_with_an_opaque_alpha_channel_has_no_transparency():
    assert decode(saved(scene("RGBA"), "PNG")).image.mode == "RGB"


def test_sixteen_bits_are_scaled_not_clipped():
    grey = read("16-bit grey").image
    assert [grey.getpixel((x, 0)) for x in range(4)] == [
        (value,) * 3 for value in (0, 127, 255, 77)
    ]
    assert read("16-bit colour").image.getpixel((0, 0)) == (255, 128, 0)


def test_cmyk_is_not_inverted():
    image = read("a CMYK JPEG").image
    assert near(image.getpixel((4, 4)), RED)
    assert near(image.getpixel((60, 44)), BLUE)


def test_a_colour_profile_is_applied():
    assert near(read("a wide-gamut PNG").image.getpixel((4, 4)), (0, 255, 0))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_gives_its_first_frame_and_says_so(kind: str):
    opened = decode(animated(kind))
    assert near(opened.image.getpixel((5, 5)), RED)
    assert opened.is_animated
    assert any("first frame" in note for note in opened.notes)


def test_an_apng_gives_the_frame_that_is_seen_not_its_stand_in():
    assert read("an APNG with a stand-in").image.getpixel((5, 5)) == (0, 255, 0)


def test_a_large_picture_is_scaled_and_says_so():
    opened = decode(saved(scene(size=(3000, 2000)), "PNG"))
    assert (opened.width, opened.height) == (3000, 2000)
    assert opened.image.width / opened.image.height == pytest.approx(1.5, rel=0.01)
    assert near(opened.image.getpixel((10, 10)), RED)
    width, height = opened.image.size
    assert near(opened.image.getpixel((width - 10, height - 10)), BLUE)
    assert any("3000×2000" in note for note in opened.notes)


def test_a_large_photo_is_scaled_the_same_way_as_a_large_png():
    photo = decode(saved(scene(size=(6000, 5000)), "JPEG", quality=95))
    assert near(photo.image.getpixel((10, 10)), RED)
    assert (photo.width, photo.height) == (6000, 5000)


def test_the_owners_limit_is_obeyed():
    data = saved(scene(size=(300, 300)), "PNG")
    decode(data, max_pixels=90_000)
    with pytest.raises(RefusedError, match="megapixels"):
        decode(data, max_pixels=89_999)


def test_parameters_beside_the_pixels_are_read():
    made_with = read("a PNG with parameters").made_with
    assert made_with is not None
    assert (made_with.prompt, made_with.seed, made_with.steps) == ("a red heart", 7, 20)
    assert read("a plain PNG").made_with is None


def test_flattening_keeps_what_is_opaque():
    assert flatten(scene()).tobytes() == scene().tobytes()


def test_every_cut_of_every_format_is_refused_or_read_but_never_worse():
    for kind in ("PNG", "JPEG", "GIF", "WEBP", *(("AVIF",) if odd_pictures.HAS_AVIF else ())):
        data = saved(scene().effect_spread(5), kind)
        for length in range(0, len(data), max(1, len(data) // 60)):
            try:
                decode(data[:length])
            except RefusedError:
                continue


def test_no_single_flipped_byte_does_worse_than_a_refusal():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in ("PNG", "JPEG", "GIF", "WEBP", *(("AVIF",) if odd_pictures.HAS_AVIF else ())):
            data = saved(scene().effect_spread(5), kind)
            for place in range(0, len(data), max(1, len(data) // 120)):
                try:
                    decode(odd_pictures.flipped(data, place))
                except RefusedError:
                    continue


_MEASURE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from limner.bot.decoding import decode
from limner.bot.errors import RefusedError
from tests.bot.odd_pictures import BAD, GOOD, scene, saved
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
def forget():
    open("/proc/self/clear_refs", "w").write("5")
for kind in ("PNG", "JPEG", "WEBP", "GIF"):
    decode(saved(scene(), kind))
out = {}
forget()
idle = peak()
for name, make in {**GOOD, **BAD}.items():
    data = make()
    forget()
    before = peak()
    try:
        decode(data)
    except RefusedError:
        pass
    out[name] = (peak() - idle, before - idle)
json.dump(out, sys.stdout)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of its memory from /proc")
def test_no_picture_takes_300_mb():
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    peaks = json.loads(done.stdout)
    worst = max(peaks, key=lambda name: peaks[name][0])
    assert peaks[worst][0] < 300_000_000, f"{worst}: {peaks[worst][0] / 1e6:.0f} MB above idle"


def test_a_bomb_is_refused_before_a_byte_of_it_is_inflated():
    rows = b"\0" * 40_000_000
    began = time.process_time()
    with pytest.raises(RefusedError, match="megapixels"):
        decode(png(20_000, 20_000, colour=0, rows=rows))
    assert time.process_time() - began < 5
