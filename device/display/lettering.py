"""Text as pixels, from letters drawn once (``glyphs.npz``): no font library on the board."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.vocabulary import Image

GLYPHS_PATH = Path(__file__).with_name("glyphs.npz")
UNKNOWN = "?"  # stands for letters that were not drawn
Color = tuple[int, int, int]  # RGB

Mask = npt.NDArray[np.uint8]  # (height, width), 255 where the letter is


class Lettering:
    """One face (``bold`` or ``regular``) in any size.

    Sizes are line heights: from the top of an accented capital to the bottom of a ``g``.
    """

    def __init__(self, face: str) -> None:
        with np.load(GLYPHS_PATH) as glyphs:
            self._pixels: Mask = glyphs[f"{face}_pixels"]
            codes = glyphs[f"{face}_codes"]
            self._starts = glyphs[f"{face}_starts"]
            self._advances = glyphs[f"{face}_advances"]
            self._padding = int(glyphs[f"{face}_padding"])
        self._index = {chr(code): number for number, code in enumerate(codes)}
        self._height = int(self._pixels.shape[0])

    def width(self, text: str, height_px: int) -> int:
        """Width of a line in px."""
        advance = sum(int(self._advances[n]) for n in self._numbers(text))
        return round(advance * height_px / self._height)

    def fitting_height(self, text: str, width_px: int, height_px: int) -> int:
        """The largest height up to ``height_px`` at which the line is at most so wide."""
        width = self.width(text, height_px)
        return height_px if width <= width_px else max(1, height_px * width_px // width)

    def draw(
        self, image: Image, text: str, x: int, y: int, height_px: int, color: Color, ground: Color
    ) -> None:
        """Puts a line on an RGB image of one ground colour, its left top at (x, y).

        What is outside the image is cut.
        """
        mask = self._line(text, height_px)
        x -= round(self._padding * height_px / self._height)
        top, left = max(0, -y), max(0, -x)
        bottom = min(mask.shape[0], image.shape[0] - y)
        right = min(mask.shape[1], image.shape[1] - x)
        if top >= bottom or left >= right:
            return
        place = image[y + top : y + bottom, x + left : x + right]
        cv2.LUT(cv2.merge([mask[top:bottom, left:right]] * 3), _shades(ground, color), place)

    def shorten(self, text: str, width_px: int, height_px: int) -> str:
        """The line, or as much of it as fits with an ellipsis."""
        if self.width(text, height_px) <= width_px:
            return text
        while text and self.width(text + "…", height_px) > width_px:
            text = text[:-1]
        return text.rstrip() + "…"

    def wrap(self, text: str, width_px: int, height_px: int, max_lines: int) -> list[str]:
        """The text broken between words; what is too much for the last line is cut there."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and (len(lines) == max_lines or self.width(longer, height_px) <= width_px):
                lines[-1] = longer
            else:
                lines.append(word)
        return [self.shorten(line, width_px, height_px) for line in lines]

    @lru_cache(maxsize=64)  # noqa: B019 - two of these live as long as the screen
    def _line(self, text: str, height_px: int) -> Mask:
        """The line as drawn once, then scaled: letters may reach into their neighbours."""
        numbers = self._numbers(text)
        total = sum(int(self._advances[n]) for n in numbers) + 2 * self._padding
        line = np.zeros((self._height, total), np.uint8)
        x = 0
        for number in numbers:
            glyph = self._pixels[:, self._starts[number] : self._starts[number + 1]]
            cell = line[:, x : x + glyph.shape[1]]
            np.maximum(cell, glyph, out=cell)
            x += int(self._advances[number])
        size = (max(1, round(total * height_px / self._height)), max(1, height_px))
        method = cv2.INTER_AREA if height_px < self._height else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(line, size, interpolation=method), np.uint8)

    def _numbers(self, text: str) -> list[int]:
        unknown = self._index[UNKNOWN]
        return [self._index.get(character, unknown) for character in text]


@lru_cache(maxsize=16)
def _shades(ground: Color, color: Color) -> npt.NDArray[np.uint8]:
    """(1, 256, 3): from the ground to the colour."""
    share = np.linspace(0, 1, 256)[None, :, None]
    return np.rint(np.array(ground) * (1 - share) + np.array(color) * share).astype(np.uint8)
