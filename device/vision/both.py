"""Haar and HOG together: Haar proposes freely, HOG confirms where Haar is unsure."""

from __future__ import annotations

import numpy as np

from device.vision.haar import HaarDetector
from device.vision.hog import WINDOW_PX, make_descriptor, read_weights
from device.vision.preprocess import cut_square
from device.vocabulary import Face, GreyImage

SURE_SCORE = 0.7  # of a Haar answer that needs no second opinion
MIN_DISTANCE = 0.0  # from the SVM's plane, at the best of the windows looked at
ZOOMS = (-0.2, -0.05)  # margins: Haar's box is larger than the framing that HOG learned
REACH_PX = 4  # of the window's 36, to all sides
STEP_PX = 2


class HaarAndHogDetector:
    """For little more than Haar alone: HOG only sees Haar's doubtful answers."""

    def __init__(self, min_face_px: int, max_faces: int) -> None:
        self._haar = HaarDetector(min_face_px, 4 * max_faces, min_neighbours=1)
        self._max_faces = max_faces
        self._hog = make_descriptor()
        weights, _ = read_weights()
        self._weights, self._bias = weights[:-1], float(weights[-1])

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        faces = [
            face
            for face in self._haar.detect(image)
            if face.score >= SURE_SCORE or self._distance(image, face) >= MIN_DISTANCE
        ]
        return faces[: self._max_faces]

    def _distance(self, image: GreyImage, face: Face) -> float:
        """The best distance from the plane of the windows in and around the face's box."""
        side = WINDOW_PX + 2 * REACH_PX
        return max(
            self._best(cut_square(image, face.box, (1 + zoom) * side / WINDOW_PX - 1, side))
            for zoom in ZOOMS
        )

    def _best(self, region: GreyImage) -> float:
        windows = np.asarray(self._hog.compute(region, (STEP_PX, STEP_PX), (0, 0)))
        distances = windows.reshape(-1, self._weights.size) @ self._weights
        return float(distances.max()) + self._bias
