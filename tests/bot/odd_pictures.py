"""Odd, broken and hostile pictures, made here byte by byte: what a stranger may send.

`GOOD` must be read, `BAD` must be refused with a sentence. Nothing here is slow to make.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

from PIL import Image, ImageCms, features
from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes = b"", *, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(
    width: int = 8,
    height: int = 8,
    *,
    depth: int = 8,
    colour: int = 2,
    rows: bytes | None = None,
    before: bytes = b"",
    after: bytes = b"",
    interlace: int = 0,
) -> bytes:
    """A PNG from its parts; `rows` are the filtered scanlines, grey if None."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if rows is None:
        line = b"\0" + b"\x80" * ((width * channels * depth + 7) // 8)
        rows = line * height
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IDAT", zlib.compress(rows, 1))
    return SIGNATURE + chunk(b"IHDR", header) + before + body + after + chunk(b"IEND")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def scene(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red at the top left, blue at the bottom right, white between."""
    image = Image.new("RGB", size, "white")
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    image.paste((0, 0, 255), (size[0] // 2, size[1] // 2, *size))
    return image.convert(mode)


def see_through(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """The scene, its right half transparent."""
    image = scene("RGBA", size)
    image.paste((0, 0, 0, 0), (size[0] // 2, 0, *size))
    return image


def frames(*colours: str) -> list[Image.Image]:
    return [Image.new("RGB", (64, 48), colour) for colour in colours]


def animated(kind: str, **options: object) -> bytes:
    first, *rest = frames("red", "lime", "blue")
    return saved(first, kind, save_all=True, append_images=rest, duration=100, **options)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(scene(), "JPEG", exif=exif, quality=95)


def grey16() -> bytes:
    rows = b"".join(b"\0" + struct.pack(">HHHH", 0, 32768, 65535, 257 * 77) for _ in range(4))
    return png(4, 4, depth=16, colour=0, rows=rows)


def interlaced() -> bytes:
    """Adam7's seven passes over 8 x 8 grey pixels."""
    passes = ((1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4))
    rows = b"".join((b"\0" + b"\x80" * width) * height for width, height in passes)
    return png(8, 8, colour=0, rows=rows, interlace=1)


def colour16() -> bytes:
    rows = b"".join(b"\0" + struct.pack(">HHH", 65535, 32768, 0) * 4 for _ in range(4))
    return png(4, 4, depth=16, colour=2, rows=rows)


def wide_colours() -> bytes:
    """A profile whose red and green are swapped: only who applies it sees the right colours."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = {}
    for index in range(count):
        at = 132 + 12 * index
        entries[bytes(profile[at : at + 4])] = at
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return saved(Image.new("RGB", (8, 8), "red"), "PNG", icc_profile=bytes(profile))


def stand_in_apng() -> bytes:
    """An animation whose first frame is not the picture that stands in for it."""
    first, second = frames("lime", "blue")
    return saved(
        Image.new("RGB", (64, 48), "red"),
        "PNG",
        save_all=True,
        default_image=True,
        append_images=[first, second],
        duration=100,
    )


def gif_beyond_its_screen() -> bytes:
    """A frame larger than the screen that the file declares."""
    whole = bytearray(saved(scene(), "GIF"))
    struct.pack_into("<HH", whole, 6, 4, 4)
    return bytes(whole)


def endless_scans() -> bytes:
    """A progressive JPEG whose last scan is repeated until the file is a megabyte."""
    data = saved(scene(size=(1024, 1024)), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    return data[:-2] + scan * 2000 + b"\xff\xd9"


def lying_jpeg() -> bytes:
    """Says 60000 x 60000 and holds 64 x 48."""
    data = bytearray(saved(scene(), "JPEG"))
    start = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, start + 5, 60000, 60000)
    return bytes(data)


def shifted_size_jpeg() -> bytes:
    """Says more rows than it has."""
    data = bytearray(saved(scene(), "JPEG"))
    start = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, start + 5, 480, 64)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    data = bytearray(saved(see_through(), "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08"))
    assert data[12:16] == b"VP8X"
    data[24:27] = (width - 1).to_bytes(3, "little")
    data[27:30] = (height - 1).to_bytes(3, "little")
    return bytes(data)


def gif_of_comments() -> bytes:
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * 30_000 + b"\0"
    whole = saved(scene(), "GIF")
    start = whole.index(b"\x2c", 13 + 3 * 4)
    return whole[:13] + b"\0\0\0\xff\xff\xff\xff\0\0\0\0\xff" + comment + whole[start:]


def gif_of_size(width: int, height: int) -> bytes:
    """A first frame of any size, to be disposed of."""
    control = b"\x21\xf9\x04\x08\0\0\0\0"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0"
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0)
        + b"\0\0\0\xff\xff\xff"
        + control
        + frame
        + b";"
    )


def lying_avif() -> bytes:
    """Declares 64 x 64 and codes a far larger picture."""
    data = bytearray(saved(Image.new("RGB", (6000, 6000)), "AVIF", speed=10, quality=1))
    start = data.index(b"ispe")
    struct.pack_into(">II", data, start + 8, 64, 64)
    return bytes(data)


def flipped(data: bytes, place: int) -> bytes:
    out = bytearray(data)
    out[place] ^= 0x55
    return bytes(out)


def zipped(num_bytes: int) -> bytes:
    return zlib.compress(b"a" * num_bytes, 9)


def with_parameters() -> bytes:
    info = PngInfo()
    info.add_text("parameters", "a red heart\nNegative prompt: blue\nSteps: 20, Seed: 7")
    return saved(scene(), "PNG", pnginfo=info)


HAS_AVIF = features.check("avif")

GOOD: dict[str, Callable[[], bytes]] = {
    "a plain PNG": lambda: saved(scene(), "PNG"),
    "a PNG of one pixel": lambda: png(1, 1),
    "a palette": lambda: saved(scene("P"), "PNG"),
    "a palette with transparency": lambda: saved(see_through().quantize(8), "PNG"),
    "black and white": lambda: saved(scene("1"), "PNG"),
    "grey": lambda: saved(scene("L"), "PNG"),
    "grey with transparency": lambda: saved(see_through().convert("LA"), "PNG"),
    "16-bit grey": grey16,
    "16-bit colour": colour16,
    "colour with one transparent colour": lambda: png(
        4, 4, before=chunk(b"tRNS", struct.pack(">HHH", 128, 128, 128))
    ),
    "an interlaced PNG": interlaced,
    "a PNG with parameters": with_parameters,
    "an APNG": lambda: animated("PNG"),
    "an APNG with a stand-in": stand_in_apng,
    "a wide-gamut PNG": wide_colours,
    "a PNG with a broken profile": lambda: saved(scene(), "PNG", icc_profile=b"RGB " * 90),
    "a PNG that is a ZIP too": lambda: saved(scene(), "PNG") + b"PK\x03\x04" + b"\0" * 400,
    "a PNG without its end": lambda: saved(scene(), "PNG")[:-12],
    "a black PNG of 36 megapixels": lambda: png(
        6000, 6000, colour=0, depth=1, rows=(b"\0" * (6000 // 8 + 1)) * 6000
    ),
    "a transparent PNG of 36 megapixels": lambda: png(
        6000, 6000, colour=6, rows=(b"\0" * (6000 * 4 + 1)) * 6000
    ),
    "16-bit grey of 36 megapixels": lambda: png(
        6000, 6000, colour=0, depth=16, rows=(b"\0" * (6000 * 2 + 1)) * 6000
    ),
    "a JPEG": lambda: saved(scene(), "JPEG"),
    "a progressive JPEG": lambda: saved(scene(), "JPEG", progressive=True),
    "a grey JPEG": lambda: saved(scene("L"), "JPEG"),
    "a CMYK JPEG": lambda: saved(scene("CMYK"), "JPEG"),
    "a JPEG that is a web page too": lambda: (
        saved(scene(), "JPEG", comment=b"<html><script>") + b"<html><script>alert(1)</script>"
    ),
    "a JPEG with broken EXIF": lambda: saved(
        scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" * 9
    ),
    "a JPEG with more rows than pixels": shifted_size_jpeg,
    "a JPEG of 36 megapixels": lambda: saved(Image.new("RGB", (6000, 6000)), "JPEG"),
    "a WebP": lambda: saved(scene(), "WEBP"),
    "a lossless WebP": lambda: saved(scene(), "WEBP", lossless=True),
    "a transparent WebP": lambda: saved(see_through(), "WEBP", lossless=True),
    "an animated WebP": lambda: animated("WEBP"),
    "a WebP of 12 megapixels": lambda: saved(
        Image.new("RGB", (4000, 3000)), "WEBP", lossless=True, quality=0, method=0
    ),
    "a GIF": lambda: saved(scene(), "GIF"),
    "an animated GIF": lambda: animated("GIF"),
    "a transparent GIF": lambda: saved(see_through(), "GIF"),
    "a GIF beyond its screen": gif_beyond_its_screen,
    **{f"a JPEG turned as {value}": (lambda value=value: turned(value)) for value in range(2, 9)},
}
if HAS_AVIF:
    GOOD |= {
        "an AVIF": lambda: saved(scene(), "AVIF"),
        "a transparent AVIF": lambda: saved(see_through(), "AVIF"),
        "an AVIF of 9 megapixels": lambda: saved(
            Image.new("RGB", (3000, 3000)), "AVIF", speed=10, quality=10
        ),
    }

BAD: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"\x89",
    "text": lambda: b"a red heart, please",
    "a web page": lambda: b"<!DOCTYPE html><title>no picture</title>",
    "an SVG": lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "a PDF": lambda: b"%PDF-1.7\n" + b"\0" * 99,
    "a ZIP": lambda: b"PK\x03\x04" + b"\0" * 99,
    "a ZIP that is a PNG later": lambda: b"PK\x03\x04" + saved(scene(), "PNG"),
    "a BMP": lambda: saved(scene(), "BMP"),
    "a TIFF": lambda: saved(scene(), "TIFF"),
    "a HEIC": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99,
    "a film": lambda: b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"\0" * 99,
    "a sound": lambda: b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 99,
    "a PNG of its signature alone": lambda: SIGNATURE,
    "a PNG without a header": lambda: SIGNATURE + chunk(b"IDAT", b"x") + chunk(b"IEND"),
    "a PNG without pixels": lambda: (
        SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IEND")
    ),
    "a PNG of no width": lambda: png(0, 8, rows=b"\0" * 8),
    "a PNG cut off in its pixels": lambda: saved(scene().effect_spread(9), "PNG")[:-90],
    "a PNG whose pixels end early": lambda: png(64, 64, rows=b"\0" * 99),
    "a PNG with a wrong header checksum": lambda: flipped(png(), 30),
    "a PNG with a wrong pixel checksum": lambda: flipped(png(), len(png()) - 14),
    "a PNG with broken pixels": lambda: (
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", b"\x78\x9c" + b"\xff" * 999)
        + chunk(b"IEND")
    ),
    "a palette PNG of an unknown depth": lambda: png(8, 8, colour=3, depth=5, rows=b"\0" * 99),
    "a bomb of 65535 x 65535": lambda: png(65535, 65535, rows=b"\0" * 99),
    "a bomb of 2^31 - 1 squared": lambda: png(2**31 - 1, 2**31 - 1, rows=b"\0" * 99),
    "a bomb of compressed text": lambda: png(before=chunk(b"zTXt", b"a\0\0" + zipped(200_000_000))),
    "a bomb of many compressed texts": lambda: png(
        before=chunk(b"zTXt", b"a\0\0" + zipped(1_000_000)) * 400
    ),
    "a bomb in its profile": lambda: png(before=chunk(b"iCCP", b"a\0\0" + zipped(200_000_000))),
    "megabytes of text": lambda: png(before=chunk(b"tEXt", b"a\0" + b"b" * 5_000_000)),
    "a million empty chunks": lambda: png(before=chunk(b"aaAa") * 800_000),
    "a strip of a picture": lambda: png(4000, 8),
    "a JPEG of three bytes": lambda: b"\xff\xd8\xff",
    "a JPEG cut off": lambda: saved(scene().effect_spread(9), "JPEG")[:700],
    "a JPEG that says 60000 x 60000": lying_jpeg,
    "a JPEG of endless scans": endless_scans,
    "a GIF cut off": lambda: saved(scene().effect_spread(9), "GIF")[:300],
    "a GIF without a picture": lambda: saved(scene(), "GIF")[:13] + b";",
    "a GIF of comments": gif_of_comments,
    "a GIF frame of 65535 x 65535": lambda: gif_of_size(65535, 65535),
    "a WebP cut off": lambda: saved(scene().effect_spread(9), "WEBP")[:200],
    "a WebP of 16384 x 16384": lambda: webp_of(16384, 16384),
    "a WebP that says two sizes": lambda: webp_of(640, 480),
    "a WebP of an unknown kind": lambda: b"RIFF\x24\0\0\0WEBPVP9 " + b"\0" * 99,
}
if HAS_AVIF:
    BAD |= {
        "an animated AVIF": lambda: animated("AVIF"),
        "an AVIF cut off": lambda: saved(scene(), "AVIF")[:-40],
        "an AVIF of its brand alone": lambda: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
        "an AVIF that says 64 x 64": lying_avif,
    }
