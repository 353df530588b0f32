"""Badges, labels and prints for ``training face-check``: what people wear, and detectors take for faces.

Drawings (clip art, flags, signs, icons) are laid on pieces of pictures without faces.
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
    prints = [
        lay(
            drawings[random.integers(len(drawings))],
            grounds[random.integers(len(grounds))],
            random,
        )
        for _ in range(number)
    ]
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
