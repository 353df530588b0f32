"""Turns pictures the way the camera hangs and fits them into the working size."""

from __future__ import annotations

import cv2
import numpy as np

from device.vocabulary import Image

_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def orient(image: Image, rotate_deg: int, mirror: bool) -> Image:
    """The image turned clockwise by 0, 90, 180 or 270 degrees, then mirrored if asked."""
    if rotate_deg in _TURNS:
        image = np.asarray(cv2.rotate(image, _TURNS[rotate_deg]), np.uint8)
    if mirror:
        image = np.asarray(cv2.flip(image, 1), np.uint8)
    return image


def fit(image: Image, width: int, height: int) -> Image:
    """The image scaled down to fit into ``width`` × ``height`` px, sides in proportion.

    A smaller image stays as it is: enlarging adds work, not detail.
    """
    own_height, own_width = image.shape[:2]
    scale = min(width / own_width, height / own_height)
    if scale >= 1:
        return image
    size = (max(1, round(own_width * scale)), max(1, round(own_height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
