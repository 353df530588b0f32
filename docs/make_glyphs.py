"""Draws the screen's letters once: ``python docs/make_glyphs.py`` writes device/display/glyphs.npz.

The board then needs no font library, and the same text gives the same pixels everywhere.
The font is DejaVu Sans as it comes with matplotlib; its licence is in glyphs.txt.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).parents[1] / "device" / "display" / "glyphs.npz"
FONTS = {"bold": ("DejaVuSans-Bold.ttf", 112), "regular": ("DejaVuSans.ttf", 48)}  # file, px
RANGES = (
    (0x20, 0x7E),  # ASCII
    (0xA1, 0x17F),  # Latin-1 and Latin Extended-A
    (0x386, 0x3CE),  # Greek
    (0x401, 0x45F),  # Cyrillic
    (0x2013, 0x2014),  # dashes
    (0x2018, 0x201E),  # quotation marks
    (0x2026, 0x2026),  # ellipsis
)
PADDING_SHARE = 0.08  # of the size, at each side, for glyphs that reach beyond their advance


def draw_font(file: str, size_px: int) -> dict[str, np.ndarray]:
    """All glyphs of one face side by side, with their places and advances."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(str(folder / file), size_px)
    ascent, descent = font.getmetrics()
    padding = round(PADDING_SHARE * size_px)
    codes = [code for low, high in RANGES for code in range(low, high + 1)]
    cells, starts, advances = [], [0], []
    for code in codes:
        advance = round(font.getlength(chr(code)))
        cell = Image.new("L", (advance + 2 * padding, ascent + descent))
        ImageDraw.Draw(cell).text((padding, 0), chr(code), fill=255, font=font)
        cells.append(np.asarray(cell) >> 4)  # sixteen shades are enough and pack better
        starts.append(starts[-1] + cell.width)
        advances.append(advance)
    return {
        "pixels": np.hstack(cells).astype(np.uint8) * 17,
        "codes": np.array(codes, np.int32),
        "starts": np.array(starts, np.int32),
        "advances": np.array(advances, np.int32),
        "padding": np.array(padding, np.int32),
    }


def main() -> None:
    """Draws both faces into one file."""
    arrays = {
        f"{name}_{key}": value
        for name, (file, size_px) in FONTS.items()
        for key, value in draw_font(file, size_px).items()
    }
    np.savez_compressed(TARGET, **arrays)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
