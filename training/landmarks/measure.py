"""How far the five points are off, on faces that no training has seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.vision.stage import LandmarkModel
from device.vocabulary import BoundingBox, Face
from training.data.pictures import is_held_out
from training.landmarks.faces import Sample, read_afw, render

# of the boxes in measuring: as a detector's differ from the annotated ones
JITTER_SHIFT = 0.05  # of the side, each way
JITTER_SIDE = (0.92, 1.1)

Looks = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def held_out_samples(folder: Path) -> list[Sample]:
    """The annotated AFW faces of the files that training never sees."""
    return [sample for name, sample in read_afw(folder) if is_held_out(name)]


def looks_at(samples: Sequence[Sample], each: int) -> Looks:
    """Crops (n, 48, 48) as the model gets them and points (n, 5, 2) in them, always the same."""
    random = np.random.default_rng(0)
    pairs = [render(sample, random) for sample in samples for _ in range(each)]
    return np.stack([crop for crop, _ in pairs]), np.stack([points for _, points in pairs])


def errors_of_looks(
    answers: npt.NDArray[np.float32], points: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """(n,) mean distance of the five points in shares of the crop; both (n, 5, 2) or (n, 10)."""
    gaps = np.asarray(answers, np.float64).reshape(-1, 5, 2) - points.reshape(-1, 5, 2)
    return np.asarray(np.linalg.norm(gaps, axis=2).mean(axis=1))


def errors_on_device(content: bytes, samples: Sequence[Sample]) -> npt.NDArray[np.float64]:
    """(n,) mean distance of the five points from the truth, in eye distances of each face.

    As the device finds them, with both of its looks. The boxes are the annotated ones, shifted and
    scaled a little as a detector's would be.

    Args:
        content: the bytes of the ``.tflite``.
        samples: n faces.

    Raises:
        ModelError: not a landmark model.
    """
    model = LandmarkModel(content)
    random = np.random.default_rng(0)
    errors = []
    for sample in samples:
        [face] = model.place(sample.picture, [Face(wrong_box(sample, random), 1.0)])
        assert face.landmarks is not None
        distance = np.linalg.norm(sample.points[1] - sample.points[0])
        gaps = np.linalg.norm(face.landmarks - sample.points, axis=1)
        errors.append(gaps.mean() / distance)
    return np.array(errors)


def wrong_box(sample: Sample, random: np.random.Generator) -> BoundingBox:
    """The annotated box, shifted and scaled a little."""
    x, y = np.array(sample.center) + random.uniform(-JITTER_SHIFT, JITTER_SHIFT, 2) * sample.side
    half = sample.side * random.uniform(*JITTER_SIDE) / 2
    return BoundingBox(x - half, y - half, x + half, y + half)
