"""Sample sheets: many pictures in one PNG, with or without the words they were painted from."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def save_sheet(pictures: np.ndarray, columns: int, path: Path) -> None:
    """Tile ``(n, height, width, 3)`` uint8 pictures into one PNG."""
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = picture
    Image.fromarray(sheet).save(path)


def save_labelled_sheet(
    pictures: list[np.ndarray], labels: list[str], columns: int, path: Path, cell_px: int = 88
) -> None:
    """One cell a label: its pictures side by side (one array a seed), the label beneath."""
    seeds, line = len(pictures), 16
    width, height = cell_px * seeds + 10, cell_px + line + 6
    sheet = Image.new("RGB", (columns * width, -(-len(labels) // columns) * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for i, label in enumerate(labels):
        y, x = i // columns * height, i % columns * width
        for seed, painted in enumerate(pictures):
            picture = Image.fromarray(painted[i]).resize(
                (cell_px, cell_px), Image.Resampling.LANCZOS
            )
            sheet.paste(picture, (x + 5 + seed * cell_px, y))
        pen.text((x + 5 + cell_px * seeds / 2, y + cell_px), label, "#333", font, anchor="ma")
    sheet.save(path, optimize=True)
