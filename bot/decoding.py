"""Untrusted bytes become a safe picture: upright, sRGB, 8 bits, RGB or RGBA, of a bounded size.

Blocking: `attachments` runs it in a thread. What a file says of itself `picture_headers` reads.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PIL import Image, ImageCms, ImageMath, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ..pipelines.finish.png import read_comment, read_parameters
from .errors import RefusedError
from .picture_headers import Format, Header, HeaderError, read_header

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from ..pipelines.finish.parameters import Parameters

BUDGET_BYTES = 210_000_000
"""What decoding one picture may hold; a tenth of it is the picture that is kept."""
KEPT_PIXELS = 2048 * 2048
"""Larger pictures are scaled to this area as they are read."""
_STRIP_PIXELS = 1 << 20
_MAX_ASPECT = 20
_MAX_PROFILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture that is safe to work with."""

    image: Image.Image
    """RGB, or RGBA where something really is transparent."""
    width: int
    """Upright, as it was sent; `image` may be smaller."""
    height: int
    format: Format
    is_animated: bool
    made_with: Parameters | None = None
    """What a painting program wrote beside it. Untrusted."""

    @property
    def flat(self) -> Image.Image:
        """RGB; what is transparent lies on white."""
        return flatten(self.image)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to it that its sender should know."""
        notes: list[str] = []
        if self.is_animated:
            notes.append("only the first frame of the animation is used")
        if self.image.size != (self.width, self.height):
            kept = f"{self.image.width}×{self.image.height}"
            notes.append(f"your picture of {self.width}×{self.height} is worked on at {kept}")
        return tuple(notes)


def flatten(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def encode(image: Image.Image) -> bytes:
    """As PNG, without anything beside the pixels; quick rather than small."""
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=2)
    return out.getvalue()


def decode(data: bytes, *, max_pixels: int = 40_000_000) -> Opened:
    """Raises `RefusedError` with one sentence for whatever is no good."""
    try:
        header = read_header(data)
    except HeaderError as error:
        raise RefusedError(str(error)) from error
    _check_size(header, max_pixels)
    try:
        with _open(header.format, data) as file:
            opened = _decode(file, header)
    except RefusedError:
        raise
    except MemoryError as error:
        raise RefusedError("That picture is too large to read here: make it smaller.") from error
    # Pillow's decoders raise nearly anything on broken data; none of it is our bug.
    except Exception as error:
        raise RefusedError(_broken(header, error)) from error
    if header.format is Format.PNG:
        return replace(opened, made_with=read_parameters(data))
    return opened


def _check_size(header: Header, max_pixels: int) -> None:
    pixels, name = header.width * header.height, header.format.value
    held = header.bytes_per_pixel
    if header.format is Format.JPEG:
        # It can be decoded at a part of its size, so only that part is ever held as pixels.
        held += 4 / _draft_divisor(header) ** 2 - 4
    allowed = min(max_pixels, int(BUDGET_BYTES / held)) if held else max_pixels
    if pixels > allowed:
        raise RefusedError(
            f"That {name} has {header.width}×{header.height} pixels and such are read"
            f" up to {max(1, allowed // 1_000_000)} megapixels: make it smaller and send it again."
        )
    if max(header.width, header.height) > _MAX_ASPECT * min(header.width, header.height):
        raise RefusedError(
            f"That picture is {header.width}×{header.height}, too narrow to paint with: crop it."
        )


def _draft_divisor(header: Header) -> int:
    ratio = math.sqrt(header.width * header.height / KEPT_PIXELS)
    return next((divisor for divisor in (8, 4, 2) if divisor <= ratio), 1)


def _open(kind: Format, data: bytes) -> ImageFile:
    # Not Image.open: it would try every format that is installed, and judge sizes by a global.
    file = io.BytesIO(data)
    match kind:
        case Format.PNG:
            return PngImageFile(file)
        case Format.JPEG:
            return JpegImageFile(file)
        case Format.WEBP:
            return WebPImageFile(file)
        case Format.GIF:
            return GifImageFile(file)
        case Format.AVIF:
            if not features.check("avif"):
                raise RefusedError("AVIF can't be read here: send a PNG or JPEG.")
            return AvifImageFile(file)


def _decode(file: ImageFile, header: Header) -> Opened:
    if file.width * file.height > max(header.width * header.height, 1):
        raise RefusedError("That picture says two different sizes: save it again.")
    if header.format is Format.JPEG and (divisor := _draft_divisor(header)) > 1:
        file.draft(None, (header.width // divisor, header.height // divisor))
    if header.format is Format.PNG and file.info.get("default_image"):
        # The animation does not begin with the picture that stands in for it.
        file.seek(1)
    file.load()
    # Afterwards only: on the way to a PNG's EXIF Pillow would load it, and lose what is broken.
    orientation = _orientation(file)
    made_with = None
    if header.format in (Format.JPEG, Format.WEBP):
        made_with = _made_with(file)
    profile = file.info.get("icc_profile")
    image = _to_rgb(file, profile if isinstance(profile, bytes) else b"")
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        image = image.convert("RGB")
    width, height = header.width, header.height
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    is_animated = header.num_frames > 1
    return Opened(image, width, height, header.format, is_animated, made_with)


def _made_with(file: ImageFile) -> Parameters | None:
    try:
        return read_comment(file.getexif())
    except Exception:  # as for its orientation: the picture is good without it
        return None


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(file: ImageFile) -> int:
    try:
        value = file.getexif().get(0x0112, 1)
    except Exception:
        # A camera's broken EXIF is no reason to refuse its picture.
        return 1
    return value if isinstance(value, int) else 1


def _to_rgb(file: Image.Image, profile: bytes) -> Image.Image:
    """Converted and reduced a strip at a time: only the decoded picture is ever held whole."""
    has_alpha = file.has_transparency_data
    mode = "RGBA" if has_alpha else "RGB"
    # The reduction by a whole number first, the rest by a good filter afterwards.
    factor = max(1, int(math.sqrt(file.width * file.height / KEPT_PIXELS)))
    width, height = math.ceil(file.width / factor), math.ceil(file.height / factor)
    out = Image.new(mode, (width, height))
    rows = max(1, _STRIP_PIXELS // file.width // factor) * factor
    for top in range(0, file.height, rows):
        strip = file.crop((0, top, file.width, min(top + rows, file.height)))
        strip = _strip_to_rgb(strip, mode, file)
        if factor > 1:
            strip = strip.reduce(factor)
        out.paste(strip, (0, top // factor))
    out = _to_srgb(out, profile, file.mode)
    excess = math.sqrt(out.width * out.height / KEPT_PIXELS)
    if excess > 1:
        size = (max(1, int(out.width / excess)), max(1, int(out.height / excess)))
        out = out.resize(size, Image.Resampling.LANCZOS)
    return out


def _strip_to_rgb(strip: Image.Image, mode: str, file: Image.Image) -> Image.Image:
    if strip.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips instead of scaling.
        wide = strip.convert("I")
        grey = wide.point(lambda value: value * (1 / 257)).convert("L")
        hidden = file.info.get("transparency")
        if mode == "RGBA" and isinstance(hidden, int):
            alpha = ImageMath.lambda_eval(lambda args: (args["wide"] != hidden) * 255, wide=wide)
            return Image.merge("RGBA", (grey, grey, grey, alpha.convert("L")))
        return grey.convert(mode)
    if strip.mode == "F":
        raise RefusedError("That picture holds numbers that are no colours: save it as 8-bit PNG.")
    return strip.convert(mode)


_SRGB = ImageCms.ImageCmsProfile(
    ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
)


def _to_srgb(image: Image.Image, profile: bytes, source_mode: str) -> Image.Image:
    """Brings phones' wide colours to what everybody shows; other spaces' profiles are ignored."""
    if not profile or len(profile) > _MAX_PROFILE_BYTES or profile[16:20] != b"RGB ":
        return image
    if source_mode not in ("RGB", "RGBA", "P"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        turned = ImageCms.profileToProfile(image.convert("RGB"), source, _SRGB)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    if turned is None:
        return image
    if image.mode == "RGBA":
        turned.putalpha(image.getchannel("A"))
    return turned


def _broken(header: Header, error: Exception) -> str:
    words = str(error).lower()
    name = header.format.value
    if "truncated" in words or isinstance(error, EOFError):
        return f"That {name} is cut off: send it again."
    if "too large" in words or "text chunks" in words:
        return f"That {name} carries more text than picture: save it again without metadata."
    return f"That {name} is damaged: save it again, or send another."
