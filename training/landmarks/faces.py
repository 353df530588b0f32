"""Faces with five points for ``training landmarks``: AFW's annotation, and every look anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import (
    CROP_PX,
    LANDMARK_MARGIN,
    UPRIGHT_SIDE,
    Matrix,
    Points,
    centred,
    cut_view,
    soft,
    to_view,
    upright,
)
from training.data.listings import read_box_rows
from training.data.pictures import read_grey
from training.files import reason

CONTOURS = ((36, 42), (42, 48), (30, 31), (48, 49), (54, 55))  # of 68 points: eyes, nose, mouth
MIRRORED = [1, 0, 2, 4, 3]  # the left eye of a mirrored face was its right eye

# What differs from look to look, as boxes of Haar and BlazeFace do around the same faces,
BOX_ZOOM = (-0.22, 0.22)  # natural logarithm of the side
BOX_SHIFT = 0.1  # of the side, each way
BOX_TILT_DEG = 14.0  # standard deviation; a face's own tilt (9°) comes on top
# and as the model's first answer errs:
UPRIGHT_ZOOM = 0.07  # standard deviations
UPRIGHT_SHIFT = 0.035
UPRIGHT_TILT_DEG = 5.0


@dataclass(frozen=True)
class Sample:
    """A face to learn: grey picture, its points, and the square a detector would give."""

    picture: npt.NDArray[np.uint8]
    points: Points
    center: tuple[float, float]
    side: float


def read_afw(folder: Path) -> list[tuple[str, Sample]]:
    """(file name, sample) of every annotated face, cut out with surroundings.

    The points are taken as published. 300-W's tools count pixels from 1, so they may lie a pixel
    to the right of and below what the annotators saw; whoever is measured by them learns them so.

    Args:
        folder: with ``boxes.csv`` and ``landmarks68.csv``.

    Raises:
        UsageError: one is missing or damaged, or a picture cannot be read.
    """
    boxes, marks = read_box_rows(folder / "boxes.csv"), read_marks(folder / "landmarks68.csv")
    if len(boxes) != len(marks):
        raise UsageError(
            f"{folder}: {len(boxes)} faces in boxes.csv, but {len(marks)} in landmarks68.csv"
        )
    samples = []
    pictures: dict[str, npt.NDArray[np.uint8]] = {}
    for (name, (x, y, width, height)), points in zip(boxes, marks, strict=True):
        if name not in pictures:
            pictures[name] = read_grey(folder / name)
        center = (x + width / 2, y + height / 2)
        sample = Sample(pictures[name], five_of_68(points), center, max(width, height))
        samples.append((Path(name).name, cut_out(sample)))
    return samples


def read_marks(path: Path) -> list[npt.NDArray[np.float32]]:
    """(68, 2) px of each face of a ``landmarks68.csv``, which has no header.

    Raises:
        UsageError: missing, or a line without 136 numbers.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read the landmarks: {reason(error)}") from error
    marks = []
    for number, line in enumerate(lines, start=1):
        try:
            points = np.array(line.split(","), np.float32)
        except ValueError:
            points = np.empty(0, np.float32)
        if points.size != 2 * 68 or not np.isfinite(points).all():
            raise UsageError(f"{path}, line {number}: expected 136 numbers with commas between")
        marks.append(points.reshape(68, 2))
    return marks


def five_of_68(points: npt.NDArray[np.float32]) -> Points:
    """(5, 2) of the 68 points of the 300-W scheme."""
    return np.stack([points[first:end].mean(axis=0) for first, end in CONTOURS])


def cut_out(sample: Sample) -> Sample:
    """The same face in a picture of at most 128 px with a face's width around it."""
    scale = min(1.0, 64 / sample.side)
    half = sample.side
    corner = np.array([sample.center[0] - half, sample.center[1] - half], np.float32)
    size = max(1, round(2 * half * scale))
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    picture = cv2.warpAffine(
        soft(sample.picture, scale), matrix, (size, size), borderMode=cv2.BORDER_REPLICATE
    )
    points = (sample.points - corner) * scale
    return Sample(np.asarray(picture, np.uint8), points, (size / 2, size / 2), sample.side * scale)


def render(sample: Sample, random: np.random.Generator) -> tuple[npt.NDArray[np.uint8], Points]:
    """One (48, 48) crop as the model would get it, and its points as shares of the crop."""
    view = box_look(sample, random) if random.random() < 0.5 else upright_look(sample, random)
    scale = float(np.sqrt(abs(np.linalg.det(view[:, :2]))))
    crop = cut_view(soft(sample.picture, scale), view)
    return spoil(crop, random), np.asarray(to_view(sample.points, view), np.float32)


def box_look(sample: Sample, random: np.random.Generator) -> Matrix:
    """The first look: a box by a detector, tilted."""
    side = sample.side * (1 + LANDMARK_MARGIN) * np.exp(random.uniform(*BOX_ZOOM))
    x, y = np.array(sample.center) + random.uniform(-BOX_SHIFT, BOX_SHIFT, 2) * sample.side
    angle = np.radians(random.normal(0, BOX_TILT_DEG))
    return stretched(centred(x, y, CROP_PX / side, angle), random)


def upright_look(sample: Sample, random: np.random.Generator) -> Matrix:
    """The second look: upright, but for the first answer's error."""
    true = upright(sample.points, UPRIGHT_SIDE, min_unit_px=1.0)
    middle = (CROP_PX - 1) / 2
    x, y = middle + random.normal(0, UPRIGHT_SHIFT, 2) * CROP_PX
    scale = np.exp(random.normal(0, UPRIGHT_ZOOM))
    wrong = centred(x, y, scale, np.radians(random.normal(0, UPRIGHT_TILT_DEG)))
    return stretched(after(true, wrong), random)


def after(first: Matrix, second: Matrix) -> Matrix:
    """The map that does ``first``, then ``second``."""
    both = second[:, :2] @ first
    both[:, 2] += second[:, 2]
    return both


def mirror(shares: Points) -> Points:
    """(5, 2) shares of a crop in its mirror image."""
    return np.stack([1 - shares[:, 0], shares[:, 1]], axis=1)[MIRRORED]


def stretched(view: Matrix, random: np.random.Generator) -> Matrix:
    """Faces a little broader or longer than they are."""
    factors = np.exp(random.normal(0, 0.04) * np.array([1, -1]))
    middle = (CROP_PX - 1) / 2
    result = view * factors[:, None]
    result[:, 2] += middle * (1 - factors)
    return result


def spoil(crop: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Light, blur, noise, and something in front of the face."""
    values: npt.NDArray[Any] = crop.astype(np.float32)
    if random.random() < 0.25:
        values = cv2.GaussianBlur(values, (0, 0), random.uniform(0.4, 1.6))
    values = 255 * np.clip(values / 255, 0, 1) ** np.exp(random.normal(0, 0.25))
    if random.random() < 0.2:  # light from one side
        ramp = np.linspace(-1, 1, CROP_PX) * random.uniform(-60, 60)
        values = values + (ramp[None] if random.random() < 0.7 else ramp[:, None])
    values = values * random.uniform(0.5, 1.35) + random.uniform(-30, 30)
    if random.random() < 0.2:
        height, width = random.integers(6, 20, 2)
        top, left = random.integers(0, CROP_PX - height), random.integers(0, CROP_PX - width)
        values[top : top + height, left : left + width] = random.uniform(0, 255)
    values = values + random.normal(0, random.uniform(0, 6), values.shape)
    return np.asarray(np.clip(values, 0, 255), np.uint8)
