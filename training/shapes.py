"""Plain geometric shapes drawn here in every colour, to learn shape and colour words from."""

import io
import math
from collections.abc import Iterator

import numpy as np
import resvg_py
from matplotlib.colors import hsv_to_rgb
from PIL import Image

from .colours import ALL_PAINTS, Picture

HEART = "M64 112C20 78 12 58 12 42a26 26 0 0 1 52-8a26 26 0 0 1 52 8c0 16-8 36-52 70z"


def polygon(corners: int, radius: float = 52, inner: float = 0.0, turn: float = -90) -> str:
    """A regular polygon, or a star when an inner radius is given."""
    count = corners * (2 if inner else 1)
    points = []
    for i in range(count):
        angle = math.radians(turn + 360 * i / count)
        reach = inner if inner and i % 2 else radius
        points.append(f"{64 + reach * math.cos(angle):.1f},{64 + reach * math.sin(angle):.1f}")
    return "M" + "L".join(points) + "z"


SHAPES = {
    "circle": '<circle cx="64" cy="64" r="50"/>',
    "square": '<rect x="18" y="18" width="92" height="92" rx="5"/>',
    "rectangle": '<rect x="10" y="34" width="108" height="60" rx="4"/>',
    "triangle": f'<path d="{polygon(3, 56)}"/>',
    "diamond": f'<path d="{polygon(4, 54)}"/>',
    "pentagon": f'<path d="{polygon(5, 54)}"/>',
    "hexagon": f'<path d="{polygon(6, 54)}"/>',
    "star": f'<path d="{polygon(5, 58, 25)}"/>',
    "heart": f'<path d="{HEART}"/>',
    "ring": '<path fill-rule="evenodd" d="M64 12a52 52 0 1 0 .1 0zM64 38a26 26 0 1 1-.1 0z"/>',
    "oval": '<ellipse cx="64" cy="64" rx="54" ry="36"/>',
    "crescent": '<path d="M84 14a52 52 0 1 0 0 100a42 42 0 1 1 0-100z"/>',
}
SIMPLE_SHAPES = {"circle", "square", "triangle", "star", "heart"}


def paint_shapes() -> Iterator[tuple[dict[str, object], Picture]]:
    """Every shape in every colour, as manifest fields and an RGBA picture."""
    for shape, body in SHAPES.items():
        for colour, paint in ALL_PAINTS.items():
            rgb = hsv_to_rgb((paint.hue / 360, paint.saturation, paint.value))
            fill = "#" + "".join(f"{round(channel * 255):02x}" for channel in rgb)
            svg = (
                '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">'
                f'<g fill="{fill}">{body}</g></svg>'
            )
            png = resvg_py.svg_to_bytes(
                svg_string=svg, width=128, height=128, skip_system_fonts=True
            )
            fields: dict[str, object] = {
                "hexcode": f"shape-{shape}",
                "label": shape,
                "names": (shape,),
                "tags": ("shape",),
                "group": "shapes",
                "subgroup": "drawn",
                "style": "shape",
                "colour": colour,
                "stated": True,
                "natural": True,
                "flips": False,
                "simple": shape in SIMPLE_SHAPES,
                "held_out": False,
                "package": "drawn by training/shapes.py",
                "licence": "Apache-2.0",
            }
            yield fields, np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
