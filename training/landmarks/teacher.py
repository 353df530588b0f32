"""MediaPipe's face landmark model as the teacher of ``training landmarks``.

It sees every picture six times: the box and its mirror image, then the face turned upright by
that answer, tilted a little either way, each with its mirror image. Its points lie a little
beside those of AFW's annotation (its nose tip is lower, its mouth wider), so a linear map fitted
on annotated faces moves them there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.vision.preprocess import (
    CROP_PX,
    Matrix,
    Points,
    centred,
    from_view,
    to_view,
    upright,
)
from training.data.action_units import load_mesh
from training.landmarks.faces import Sample, after, mirror

SIDE_PX = 192  # of its input
POINTS = ((33, 133), (362, 263), (1,), (61,), (291,))  # of its 468
BOX_MARGIN = 0.3  # of the first look; at 1.0 its error is three times as large
UPRIGHT_LOOKS = ((-7.0, 3.3), (7.0, 3.6))  # tilt in degrees, side in units of `upright`
SURE = 2.0  # logit that it sees a face, mean of the upright looks
AGREED = 0.06  # units that its upright answers may differ from their mean: the best nine tenths
RIDGE = 0.5  # holds the map to annotation near "the same for every face"
MIN_UNIT_PX = 1.0  # see `upright`

Ask = Callable[[npt.NDArray[np.float32]], tuple[Points, float]]


@dataclass(frozen=True)
class Answer:
    """What the teacher says of one sample.

    Attributes:
        points: (5, 2) px in the sample's picture.
        sure: it sees a face, and its looks agree.
    """

    points: Points
    sure: bool


def load_teacher(path: Path) -> Ask:
    """The model at ``path``: a (192, 192) picture, 0 to 1, to five points in px and a logit.

    Raises:
        UsageError: it is not there, or no such model.
    """
    mesh = load_mesh(path)

    def ask(picture: npt.NDArray[np.float32]) -> tuple[Points, float]:
        points, presence = mesh(picture)
        return np.stack([points[list(some)].mean(axis=0) for some in POINTS]), presence

    return ask


def ask_all(ask: Ask, samples: Sequence[Sample]) -> list[Answer]:
    """What the teacher says of every sample, in order; prints its progress."""
    answers = []
    start = time.monotonic()
    for number, sample in enumerate(samples, start=1):
        answers.append(ask_twice(ask, sample))
        if number % 2000 == 0 or number == len(samples):
            sure = np.mean([answer.sure for answer in answers])
            print(f"teacher: {number}/{len(samples)} pictures, sure of {sure:.1%}, "
                  f"{time.monotonic() - start:.0f} s", flush=True)  # fmt: skip
    return answers


def ask_twice(ask: Ask, sample: Sample) -> Answer:
    """First the box, then the face upright."""
    scale = CROP_PX / (sample.side * (1 + BOX_MARGIN))
    first, _ = look(ask, sample.picture, [centred(*sample.center, scale, 0.0)])
    middle = (CROP_PX - 1) / 2
    views = []
    for tilt_deg, side in UPRIGHT_LOOKS:
        straight = upright(first.mean(axis=0), side, MIN_UNIT_PX)
        views.append(after(straight, centred(middle, middle, 1.0, np.radians(tilt_deg))))
    answers, presence = look(ask, sample.picture, views)
    points = answers.mean(axis=0)
    spread = np.linalg.norm(answers - points, axis=2).mean() / unit_px(points)
    return Answer(points.astype(np.float32), bool(presence > SURE and spread < AGREED))


def look(
    ask: Ask, picture: npt.NDArray[np.uint8], views: Sequence[Matrix]
) -> tuple[npt.NDArray[np.float32], float]:
    """(2n, 5, 2) px in the picture, seen by n views and their mirror images; mean logit."""
    zoom = SIDE_PX / CROP_PX
    answers, presences = [], []
    for view in views:
        large = view * zoom
        large[:, 2] += (zoom - 1) / 2  # the middle of a pixel stays its middle
        crop = cv2.warpAffine(picture, large, (SIDE_PX, SIDE_PX), flags=cv2.INTER_CUBIC,
                              borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        values = (crop / 255).astype(np.float32)
        for mirrored in (False, True):
            pixels, presence = ask(np.ascontiguousarray(values[:, ::-1]) if mirrored else values)
            shares = np.asarray(pixels / SIDE_PX, np.float32)
            if mirrored:
                shares = mirror(shares)
            answers.append(from_view(shares, view))
            presences.append(presence)
    return np.array(answers), float(np.mean(presences))


def unit_px(points: Points) -> float:
    """The unit of ``upright`` in pixels."""
    return float(1 / np.linalg.norm(upright(points, CROP_PX, MIN_UNIT_PX)[0, :2]))


def fit_correction(taught: Sequence[Points], true: Sequence[Points]) -> npt.NDArray[np.float64]:
    """(11, 10): from the teacher's points of annotated faces to what the annotation adds.

    Both are seen upright and in units.
    """
    known, missing = [], []
    for ours, theirs in zip(taught, true, strict=True):
        view = upright(ours, 1.0, MIN_UNIT_PX)
        seen, wanted = to_view(ours, view), to_view(theirs, view)
        known.append(np.append(seen.ravel(), 1.0))
        missing.append((wanted - seen).ravel())
    rows, gaps = np.array(known, np.float64), np.array(missing, np.float64)
    held = rows.T @ rows + RIDGE * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(held, rows.T @ gaps), np.float64)


def correct(points: Points, correction: npt.NDArray[np.float64]) -> Points:
    """The teacher's points, (5, 2) px, moved to where an annotator would set them."""
    view = upright(points, 1.0, MIN_UNIT_PX)
    seen = to_view(points, view)
    missing = (np.append(seen.ravel(), 1.0) @ correction).reshape(5, 2)
    return from_view(np.asarray(seen + missing, np.float32), view)
