"""Badges, labels and prints for ``training face-check``: what people wear, and detectors take for faces.

Drawings (clip art, flags, signs, icons) are laid on pieces of pictures without faces; half of them
as a patch or name tag: on a filled shape with a border, with lettering below.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from training.data.pictures import SUFFIXES

SIDES_PX = 24, 64  # of a drawing on its piece of 80 px, whose box has 44
STRENGTH = 0.35, 1.0  # of a drawing on what it is laid on
PATCH_SHARE = 0.5  # of the prints
PATCH_PX = 96  # longer side of a patch
LETTERS = np.array(list("ABCDEFGHIKLMNOPRSTUVWXYZ0123456789"))

Grey = npt.NDArray[np.uint8]
Drawing = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]  # grey levels; cover, 0 to 1


def make_prints(folder: Path, grounds: Grey, number: int, random: np.random.Generator) -> Grey:
    """(number, side, side) uint8: each a drawing on one of the grounds.

    Args:
        folder: drawings, transparent or not.
        grounds: (n, side, side).
        number: how many.
        random: chooses, places, turns.

    Raises:
        UsageError: no drawings there.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    drawings = [drawing for path in files if (drawing := read_drawing(path))]
    if not drawings:
        raise UsageError(f"{folder}: no drawings here (known: {', '.join(SUFFIXES)})")
    prints = []
    for _ in range(number):
        drawing = drawings[random.integers(len(drawings))]
        if random.random() < PATCH_SHARE:
            drawing = patch_with(drawing, random)
        prints.append(lay(drawing, grounds[random.integers(len(grounds))], random))
    return np.stack(prints)


def read_drawing(path: Path) -> Drawing | None:
    """Grey levels and cover, at most 128 px wide and high; None where it cannot be read."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint8 or min(picture.shape[:2]) < SIDES_PX[0]:
        return None
    scale = min(1.0, 128 / max(picture.shape[:2]))
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cover = np.ones(picture.shape[:2], np.float32)
    if picture.ndim == 2:
        return picture.astype(np.float32), cover
    if picture.shape[2] == 4:
        cover = picture[..., 3].astype(np.float32) / 255
    grey = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_BGR2GRAY)
    return grey.astype(np.float32), cover


def lay(drawing: Drawing, ground: Grey, random: np.random.Generator) -> Grey:
    """The drawing, turned at random, somewhere near the middle of a (side, side) ground."""
    grey, cover = drawing
    middle = (ground.shape[0] - 1) / 2
    zoom = random.uniform(*SIDES_PX) / max(grey.shape)
    turn = cv2.getRotationMatrix2D(
        ((grey.shape[1] - 1) / 2, (grey.shape[0] - 1) / 2), random.normal(0, 40), zoom
    )
    turn[:, 2] += middle - np.array(grey.shape[::-1]) / 2 + random.uniform(-10, 10, 2)  # type: ignore[arg-type]
    if random.random() < 0.3:
        grey = 255 - grey
    size = ground.shape[::-1]
    laid = cv2.warpAffine(grey, turn, size, flags=cv2.INTER_AREA)
    share = cv2.warpAffine(cover, turn, size, flags=cv2.INTER_AREA) * random.uniform(*STRENGTH)
    return np.asarray(np.clip(ground * (1 - share) + laid * share, 0, 255), np.uint8)


def patch_with(drawing: Drawing, random: np.random.Generator) -> Drawing:
    """A patch that shows the drawing: a filled shape with a border, perhaps with a line of letters."""
    sides = np.array([1.0, random.uniform(0.55, 1.0)])
    width, height = (PATCH_PX * (sides if random.random() < 0.7 else sides[::-1])).astype(int)
    ground, ink = random.uniform(0, 255, 2)
    grey = np.full((height, width), ground, np.float32)
    cover = np.zeros((height, width), np.float32)
    outline(cover, 1.0, -1, round_one := random.random() < 0.4)
    outline(grey, ink, int(random.integers(1, 8)), round_one)
    lettered = random.random() < 0.6
    room = int(min(width, height * (0.7 if lettered else 1.0)) * random.uniform(0.5, 0.85))
    scale = room / max(drawing[0].shape)
    size_px = tuple(max(1, round(side * scale)) for side in drawing[0].shape[::-1])
    picture, shown = (cv2.resize(d, size_px, interpolation=cv2.INTER_AREA) for d in drawing)
    top = (int(height * (0.8 if lettered else 1.0)) - picture.shape[0]) // 2
    left = (width - picture.shape[1]) // 2
    area = grey[top : top + picture.shape[0], left : left + picture.shape[1]]
    area += (picture - area) * shown
    if lettered:
        text = "".join(random.choice(LETTERS, random.integers(4, 12)))
        size = 0.8 * width / (18 * len(text))  # 18 px a letter at size 1
        place = int(0.1 * width), int(0.92 * height)
        cv2.putText(grey, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
    return grey, cover


def outline(picture: npt.NDArray[np.float32], level: float, thickness: int, is_round: bool) -> None:
    """Draws the largest ellipse or rectangle into a picture; a thickness of -1 fills it."""
    height, width = picture.shape
    inset = max(thickness, 0) // 2
    if is_round:
        axes = width // 2 - inset - 1, height // 2 - inset - 1
        cv2.ellipse(picture, (width // 2, height // 2), axes, 0, 0, 360, level, thickness)
    else:
        corner = width - 1 - inset, height - 1 - inset
        cv2.rectangle(picture, (inset, inset), corner, level, thickness)
