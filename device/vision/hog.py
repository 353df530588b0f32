"""HOG and a linear SVM (Dalal and Triggs, 2005) for faces, with weights of our own training.

Gradients, 9 orientations in cells of 6 px, normalised in blocks of 2×2 cells, a window of
36 px that slides over a pyramid: 900 numbers a window, weighed by ``training face-hog``.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import DetectorError
from device.vision.nms import merge_overlapping
from device.vocabulary import BoundingBox, Face, GreyImage

WINDOW_PX = 36
CELL_PX = 6
BINS = 9
WEIGHTS_PATH = Path(__file__).with_name("face_hog.npz")
SCALE_STEP = 1.1
MIN_OVERLAP = 0.3  # windows of one face


def make_descriptor() -> cv2.HOGDescriptor:
    """The descriptor that training and device share.

    Raises:
        DetectorError: OpenCV without HOG (5 moved it out of the main package).
    """
    if not hasattr(cv2, "HOGDescriptor"):
        raise DetectorError(
            f"OpenCV {cv2.__version__} has no HOG detector: install opencv-python-headless "
            "below version 5, or choose another detector.kind"
        )
    window, block, cell = (WINDOW_PX,) * 2, (2 * CELL_PX,) * 2, (CELL_PX,) * 2
    return cv2.HOGDescriptor(window, block, cell, cell, BINS)


def read_weights(path: Path = WEIGHTS_PATH) -> tuple[npt.NDArray[np.float32], float]:
    """(901,) SVM weights with the bias at the end, and the threshold chosen in training.

    Raises:
        DetectorError: missing or not ours.
    """
    try:
        with np.load(path) as archive:
            weights, threshold = archive["weights"], float(archive["threshold"])
    except (OSError, ValueError, KeyError) as error:
        raise DetectorError(f"{path}: cannot read the HOG weights: {error}") from error
    expected = make_descriptor().getDescriptorSize() + 1
    if weights.shape != (expected,):
        raise DetectorError(f"{path}: {weights.shape} weights, not ({expected},)")
    return weights.astype(np.float32), threshold


class HogDetector:
    """Slides the window over the whole frame."""

    def __init__(self, min_face_px: int, max_faces: int, relax: float = 0.0) -> None:
        """Takes ``relax``: how far below the trained threshold a window may be, for a check after it."""
        weights, threshold = read_weights()
        self._threshold = threshold - relax
        self._min_face_px, self._max_faces = min_face_px, max_faces
        self._hog = make_descriptor()
        self._hog.setSVMDetector(weights)

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        if min(image.shape) < self._min_face_px:
            return []
        scale = WINDOW_PX / self._min_face_px
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
        if min(small.shape) < WINDOW_PX:
            return []
        found, distances = self._hog.detectMultiScale(
            small,
            hitThreshold=self._threshold,
            winStride=(CELL_PX, CELL_PX),
            padding=(0, 0),
            scale=SCALE_STEP,
            groupThreshold=0,
        )
        if not len(found):
            return []
        corners = np.asarray(found, np.float32) / scale
        boxes = np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]])
        scores = probability(np.asarray(distances, np.float32).ravel() - self._threshold)
        faces = [
            Face(BoundingBox(*map(float, merged.box)), merged.score)
            for merged in merge_overlapping(boxes, scores, MIN_OVERLAP)
        ]
        return sorted(faces, key=lambda face: -face.box.area)[: self._max_faces]


def probability(distance: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Distances beyond the threshold as scores from 0.5 to 1."""
    return np.asarray(1 / (1 + np.exp(-2 * distance)), np.float32)
