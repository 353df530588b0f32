"""Ways to cut a face out of a picture, to compare with the device's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from device.vision.preprocess import CROP_PX, MARGIN, axes, crop_face, tilt
from device.vocabulary import Face

MARGINS = (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4)
ALIGNED_SIDES = (2.0, 2.2, 2.4, 2.6, 2.8, 3.0)
FER2013_ABOVE = 0.06  # of the side, by which the middle of its pictures lies above the points'
Grey = npt.NDArray[np.uint8]
Crop = Callable[[Grey, Face], Grey]


def ways_of_boxes() -> dict[str, list[Crop]]:
    """Crops by the box alone; of several, their mean opinion counts (and twice the time)."""
    ways: dict[str, list[Crop]] = {
        f"margin {margin}": [partial(crop_face, margin=margin)] for margin in MARGINS
    }
    ways["margins 0.1 and 0.3"] = [partial(crop_face, margin=margin) for margin in (0.1, 0.3)]
    ways["and mirrored"] = [crop_face, crop_mirrored]
    return ways


def ways_of_points() -> dict[str, list[Crop]]:
    """Crops by the landmarks: all by them, or the box's crop turned or moved."""
    ways: dict[str, list[Crop]] = {
        f"aligned {side}": [partial(crop_aligned, side=side)] for side in ALIGNED_SIDES
    }
    ways["turned"] = [partial(crop_turned, turn=1.0)]
    ways["half turned"] = [partial(crop_turned, turn=0.5)]
    ways["centred"] = [partial(crop_turned, turn=0.0, centred=True)]
    ways["turned, centred"] = [partial(crop_turned, turn=1.0, centred=True)]
    return ways


def crop_mirrored(image: Grey, face: Face) -> Grey:
    """The device's crop as in a mirror."""
    return np.ascontiguousarray(crop_face(image, face)[:, ::-1])


def crop_turned(image: Grey, face: Face, turn: float, centred: bool = False) -> Grey:
    """The box's crop, turned and moved by the landmarks, as a (48, 48) uint8 square.

    Args:
        image: (height, width) uint8 grey frame.
        face: with landmarks.
        turn: share of the face's tilt that is taken away.
        centred: on the face as in FER2013, by the landmarks, instead of on the box.
    """
    if face.landmarks is None:
        return crop_face(image, face)
    side = max(face.box.width, face.box.height, 1.0) * (1 + MARGIN)
    leaning = tilt(face.landmarks)
    x, y = np.array(face.box.center) - 0.5
    if centred:
        eyes, mouth, *_ = axes(face.landmarks)
        up = np.array([np.sin(leaning), -np.cos(leaning)])
        x, y = (eyes + mouth) / 2 + up * FER2013_ABOVE * side
    large = CROP_PX * max(1, int(np.ceil(side / CROP_PX)))  # warpAffine does not average
    angle_deg = float(np.degrees(leaning * turn))
    matrix = cv2.getRotationMatrix2D((float(x), float(y)), angle_deg, large / side)
    matrix = np.asarray(matrix, np.float64)
    matrix[:, 2] += ((large - 1) / 2 - x, (large - 1) / 2 - y)
    crop = cv2.warpAffine(image, matrix, (large, large), borderMode=cv2.BORDER_REPLICATE)
    crop = cv2.resize(crop, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def crop_aligned(image: Grey, face: Face, side: float) -> Grey:
    """The face turned upright and scaled by its landmarks, as a (48, 48) uint8 square.

    Args:
        image: (height, width) uint8 grey frame.
        face: with landmarks.
        side: of the square, in distances between eyes and mouth (or between the eyes, if more).
    """
    if face.landmarks is None:
        return crop_face(image, face)
    eyes, mouth, across, down = axes(face.landmarks)
    unit = max(np.hypot(*across), np.hypot(*down), 1.0)
    scale = CROP_PX / (side * unit)
    middle = (eyes + mouth) / 2
    angle_deg = np.degrees(np.arctan2(across[1], across[0]))
    rotation = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle_deg, scale)
    matrix = np.asarray(rotation, np.float64)
    matrix[:, 2] += CROP_PX / 2 - middle
    small = image
    if scale < 0.5:  # warpAffine does not average: halve first, the rest is interpolation
        factor = 1 / int(1 / scale)
        small = np.asarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
        matrix[:, :2] = matrix[:, :2] / factor
    crop = cv2.warpAffine(small, matrix, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)
