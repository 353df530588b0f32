"""The screen as a picture: a pure function of what is seen, the size and the time of day.

Everything is laid out in shares of the screen's size, so 640×480 and 1920×1080 look alike. The
ground is nearly black and the whole picture wanders by a few pixels, because a screen that
shows the same words for months burns them in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from device.display.lettering import Color, Lettering
from device.display.wording import BROKER_AWAY, Shown, caption, headline, percent, problem_line
from device.vocabulary import EXPRESSIONS, Expression, FaceState, Frame, Image, SyntheticFace

GROUND: Color = (10, 12, 16)
TROUGH: Color = (38, 43, 52)  # the empty part of a bar
BRIGHT: Color = (228, 232, 236)
QUIET: Color = (132, 140, 150)
GOOD: Color = (64, 188, 168)
AMBER: Color = (240, 176, 64)

MARGIN = 0.05  # of the unit, at each side; the wandering stays inside it
WANDER = 0.02  # of the unit
WANDER_PERIOD_S = 3600.0
MAX_ROWS = 5
SMALLEST_SIZE = (160, 120)  # px; on less, nothing can be read
SMALLEST_PX = 12  # of a line
BASE_LINE = 0.8  # of a line's height; sizes that share one stand on it
PICTURES_SHARE = 0.5  # of the width, for the camera view and a synthetic face


@dataclass(frozen=True)
class Frills:
    """What stands around the faces.

    Attributes:
        name: of the device.
        clock_text: the time of day.
        notice: that expressions are being read; empty: none.
        at_s: monotonic time; decides where the wandering is.
        show_camera: the camera's picture with boxes in the left half.
    """

    name: str = "Mien"
    clock_text: str = ""
    notice: str = ""
    at_s: float = 0.0
    show_camera: bool = False


@dataclass(frozen=True)
class Area:
    """A rectangle of the picture in px."""

    x: int
    y: int
    width: int
    height: int


@cache
def lettering(face: str) -> Lettering:
    """``bold`` or ``regular``, loaded when the first picture is drawn."""
    return Lettering(face)


def render(shown: Shown, width: int, height: int, frills: Frills) -> Image:
    """Draws the screen.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    image = np.empty((height, width, 3), np.uint8)
    _fill(image, Area(0, 0, width, height), BRIGHT if shown.flash else GROUND)
    if width < SMALLEST_SIZE[0] or height < SMALLEST_SIZE[1]:
        return image
    unit = unit_px(image)
    margin = round(MARGIN * unit)
    dx, dy = wandering(frills.at_s, unit)
    whole = Area(margin + dx, margin + dy, width - 2 * margin, height - 2 * margin)
    if shown.flash:
        _draw_words(image, whole, frills.name, whole.height // 3, GROUND, BRIGHT)
        return image
    top = _draw_head(image, whole, shown, frills)
    bottom = _draw_foot(image, whole, shown, frills)
    middle = Area(whole.x, top, whole.width, bottom - top)
    middle = _draw_pictures(image, middle, shown, frills.show_camera)
    words = headline(shown)
    if words:
        color = AMBER if words in ("camera lost", BROKER_AWAY) else QUIET
        _draw_words(image, middle, words, round(0.26 * unit), color)
    elif len(shown.scene.faces) == 1:
        _draw_single(image, middle, shown.scene.faces[0])
    else:
        _draw_rows(image, middle, shown.scene.faces)
    return image


def unit_px(image: Image) -> int:
    """What all sizes are shares of: the height, on a narrow screen what would go with its width."""
    height, width = image.shape[:2]
    return int(min(height, width * 3 // 4))


def wandering(at_s: float, unit: int) -> tuple[int, int]:
    """How far the picture is moved against burn-in, (x, y) px: a slow figure of eight."""
    turn = 2 * math.pi * at_s / WANDER_PERIOD_S
    reach = WANDER * unit
    return round(reach * math.sin(turn)), round(reach * math.sin(2 * turn))


def _draw_head(image: Image, area: Area, shown: Shown, frills: Frills) -> int:
    """Name and clock, small; returns where the rest may begin."""
    regular, size = lettering("regular"), max(SMALLEST_PX, round(0.036 * unit_px(image)))
    clock_width = regular.width(frills.clock_text, size)
    num_faces = len(shown.scene.faces)
    left = f"{frills.name} · {num_faces} faces" if num_faces > 1 else frills.name
    left = regular.shorten(left, area.width - clock_width - size, size)
    regular.draw(image, left, area.x, area.y, size, QUIET, GROUND)
    right = area.x + area.width - clock_width
    regular.draw(image, frills.clock_text, right, area.y, size, QUIET, GROUND)
    return area.y + 2 * size


def _draw_foot(image: Image, area: Area, shown: Shown, frills: Frills) -> int:
    """Problem over notice; returns where the rest must end."""
    regular, y = lettering("regular"), area.y + area.height
    size = max(SMALLEST_PX, round(0.05 * unit_px(image)))
    for text, color in ((frills.notice, QUIET), (problem_line(shown.status), AMBER)):
        for line in reversed(regular.wrap(text, area.width, size, max_lines=2)):
            y -= round(1.2 * size)
            regular.draw(image, line, area.x, y, size, color, GROUND)
    return y - round(0.03 * unit_px(image))


def _draw_words(
    image: Image, area: Area, words: str, most_px: int, color: Color, ground: Color = GROUND
) -> None:
    """Bold words in the middle of an area, as large as they get: seen from across the room."""
    bold = lettering("bold")
    size = bold.fitting_height(words, area.width, most_px)
    x = area.x + (area.width - bold.width(words, size)) // 2
    bold.draw(image, words, x, area.y + (area.height - size) // 2, size, color, ground)


def _draw_single(image: Image, area: Area, face: FaceState) -> None:
    """One face: its name and bar as large as they get, and all seven classes below."""
    upper = Area(area.x, area.y, area.width, round(0.6 * area.height))
    _draw_face(image, upper, face)
    top = upper.y + upper.height + round(0.07 * area.height)
    _draw_classes(image, Area(area.x, top, area.width, area.y + area.height - top), face)


def _draw_rows(image: Image, area: Area, faces: tuple[FaceState, ...]) -> None:
    """Several faces, largest first, as many as can be read from across the room."""
    num_rows = len(faces) if len(faces) <= MAX_ROWS else MAX_ROWS - 1
    row_height = area.height // max(2, min(len(faces), MAX_ROWS))
    for number, face in enumerate(faces[:num_rows]):
        row = Area(area.x, area.y + number * row_height, area.width, round(0.86 * row_height))
        _draw_face(image, row, face)
    if len(faces) > num_rows:
        text, y = f"and {len(faces) - num_rows} more", area.y + num_rows * row_height
        size = lettering("bold").fitting_height(text, area.width, round(0.5 * row_height))
        lettering("bold").draw(image, text, area.x, y + size // 2, size, QUIET, GROUND)


def _draw_face(image: Image, area: Area, face: FaceState) -> None:
    """Name, rejection reason and percentage on one base line, over a bar."""
    bold, regular = lettering("bold"), lettering("regular")
    sure = face.expression is not Expression.UNCERTAIN
    bar_height = max(4, round(0.18 * area.height))
    name, number, reason = face.expression.value, percent(face), face.rejection_reason or ""
    line_height = round(0.79 * area.height)
    small, tiny = round(0.6 * line_height), round(0.38 * line_height)
    needed = bold.width(name, line_height) + line_height // 2 + bold.width("100 %", small)
    needed += regular.width(reason, tiny)
    squeeze = min(1.0, area.width / needed)
    size, small, tiny = (max(1, int(h * squeeze)) for h in (line_height, small, tiny))
    y = area.y + line_height - size
    bold.draw(image, name, area.x, y, size, BRIGHT if sure else QUIET, GROUND)
    reason_x = area.x + bold.width(name, size) + size // 4
    reason_y = y + round(BASE_LINE * (size - tiny))
    regular.draw(image, reason, reason_x, reason_y, tiny, AMBER, GROUND)
    number_x = area.x + area.width - bold.width(number, small)
    number_y = y + round(BASE_LINE * (size - small))
    bold.draw(image, number, number_x, number_y, small, QUIET, GROUND)
    bar = Area(area.x, area.y + area.height - bar_height, area.width, bar_height)
    filled = replace(bar, width=round(bar.width * _share(face.probability)))
    _fill(image, bar, TROUGH)
    _fill(image, filled, GOOD if sure else QUIET)


def _draw_classes(image: Image, area: Area, face: FaceState) -> None:
    """Seven small columns in a fixed order, so that mixed expressions stay visible."""
    regular, num_columns = lettering("regular"), len(EXPRESSIONS)
    gap = area.width // (num_columns * 8)
    width = (area.width - (num_columns - 1) * gap) // num_columns
    longest = max((e.value for e in EXPRESSIONS), key=len)
    size = regular.fitting_height(longest, width, round(0.055 * unit_px(image)))
    height = max(1, area.height - round(1.3 * size))
    for number, expression in enumerate(EXPRESSIONS):
        column = Area(area.x + number * (width + gap), area.y, width, height)
        part = round(height * _share(float(face.probabilities[number])))
        _fill(image, column, TROUGH)
        _fill(image, replace(column, y=area.y + height - part, height=part), GOOD)
        color = BRIGHT if expression is face.expression else QUIET
        y = area.y + height + round(0.2 * size)
        regular.draw(image, expression.value, column.x, y, size, color, GROUND)


def _draw_pictures(image: Image, area: Area, shown: Shown, show_camera: bool) -> Area:
    """Camera view over synthetic face on the left, what there is; returns what is left for text."""
    frame, synthetic = shown.frame if show_camera else None, shown.synthetic
    num_pictures = (frame is not None) + (synthetic is not None)
    if not num_pictures:
        return area
    gap = round(0.04 * unit_px(image))
    width = round(PICTURES_SHARE * area.width) - gap
    height = (area.height - (num_pictures - 1) * gap) // num_pictures
    if frame is not None:
        _draw_camera(image, Area(area.x, area.y, width, height), frame, shown.scene.faces)
    if synthetic is not None:
        y = area.y + area.height - height
        _draw_synthetic(image, Area(area.x, y, width, height), synthetic)
    left = width + 2 * gap
    return Area(area.x + left, area.y, area.width - left, area.height)


def _draw_camera(image: Image, area: Area, frame: Frame, faces: tuple[FaceState, ...]) -> None:
    """The camera's picture with boxes."""
    picture, scale = _fit(frame.image, area)
    for face in faces:
        xmin, ymin, xmax, ymax = (round(side * scale) for side in face.box.as_pixels())
        thickness = max(2, unit_px(image) // 270)
        cv2.rectangle(picture, (xmin, ymin), (xmax, ymax), GOOD, thickness)
    _put(image, area, picture)


def _draw_synthetic(image: Image, area: Area, synthetic: SyntheticFace) -> None:
    """The made face over words that say so, in the colour of warnings."""
    bold, words = lettering("bold"), caption(synthetic)
    size = bold.fitting_height(words, area.width, max(SMALLEST_PX, round(0.07 * unit_px(image))))
    upper = replace(area, height=max(1, area.height - size))
    picture, _ = _fit(synthetic.image, upper)
    below = _put(image, upper, picture)
    _draw_words(image, Area(area.x, below, area.width, size), words, size, AMBER)


def _put(image: Image, area: Area, picture: Image) -> int:
    """Puts a picture into the middle of an area; returns where it ends below."""
    height, width = picture.shape[:2]
    x, y = area.x + (area.width - width) // 2, area.y + (area.height - height) // 2
    image[y : y + height, x : x + width] = picture
    return int(y + height)


def _fit(picture: Image, area: Area) -> tuple[Image, float]:
    """An RGB copy as large as it gets within an area, and its scale."""
    height, width = picture.shape[:2]
    scale = min(area.width / width, area.height / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
    if fitted.ndim == 2:
        fitted = np.asarray(cv2.cvtColor(fitted, cv2.COLOR_GRAY2RGB), np.uint8)
    return fitted, scale


def _share(probability: float) -> float:
    return min(max(probability, 0.0), 1.0)


def _fill(image: Image, area: Area, color: Color) -> None:
    if area.width > 0 and area.height > 0:
        corner = (area.x + area.width - 1, area.y + area.height - 1)
        cv2.rectangle(image, (area.x, area.y), corner, color, thickness=cv2.FILLED)
