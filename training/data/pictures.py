"""Folders of ordinary pictures, and which of them stay unseen in training."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".webp")
MAX_SIDE_PX = 900  # larger pictures are made smaller: faces and walls at a camera's scale


def read_folder(folder: Path) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Yields (file name, (height, width) uint8 grey), sorted by name.

    Raises:
        UsageError: no pictures there, or one that cannot be read.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(f"{folder}: no pictures here (known: {', '.join(SUFFIXES)})")
    for path in files:
        yield path.name, read_grey(path)


def read_grey(path: Path, max_side_px: int = MAX_SIDE_PX) -> npt.NDArray[np.uint8]:
    """(height, width) uint8, at most ``max_side_px`` at its long side.

    Raises:
        UsageError: not a picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise UsageError(f"{path}: not a readable picture")
    scale = max_side_px / max(picture.shape)
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)


def is_held_out(name: str, share: float = 0.5) -> bool:
    """True for the files that training never sees: by a checksum of the name, so for good."""
    return zlib.crc32(name.encode()) % 1000 >= 1000 * (1 - share)
