"""Haar and HOG together: HOG throws out Haar's worst answers and adds its own best ones."""

from __future__ import annotations

import numpy as np

from device.vision.haar import HaarDetector
from device.vision.hog import WINDOW_PX, HogDetector, make_descriptor, read_weights
from device.vision.nms import without_nested
from device.vision.preprocess import cut_square
from device.vocabulary import Face, GreyImage

SURE_SCORE = 0.8  # of a Haar answer that needs no second opinion
MIN_DISTANCE = 0.0  # from the SVM's plane, at the best of the windows looked at
ZOOMS = (-0.2, -0.05)  # margins: Haar's box is larger than the framing that HOG learned
REACH_PX = 4  # of the window's 36, to all sides
STEP_PX = 2
MIN_WINDOWS = 2  # HOG's windows that must agree where Haar found nothing
SAME_FACE = 0.3  # intersection over union


class HaarAndHogDetector:
    """More faces than either alone, at no more false alarms (docs/faces.md)."""

    def __init__(self, min_face_px: int, max_faces: int) -> None:
        self._haar = HaarDetector(min_face_px, 4 * max_faces)
        self._hog = HogDetector(min_face_px, 4 * max_faces, MIN_WINDOWS)
        self._max_faces = max_faces
        self._descriptor = make_descriptor()
        weights, _ = read_weights()
        self._weights, self._bias = weights[:-1], float(weights[-1])

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        faces = [
            face
            for face in self._haar.detect(image)
            if face.score >= SURE_SCORE or self._distance(image, face) >= MIN_DISTANCE
        ]
        for added in self._hog.detect(image):
            if all(f.box.intersection_over_union(added.box) < SAME_FACE for f in faces):
                faces.append(added)
        faces = without_nested(faces)
        return sorted(faces, key=lambda face: -face.box.area)[: self._max_faces]

    def _distance(self, image: GreyImage, face: Face) -> float:
        """The best distance from the plane of the windows in and around the face's box."""
        side = WINDOW_PX + 2 * REACH_PX
        margins = [(1 + zoom) * side / WINDOW_PX - 1 for zoom in ZOOMS]
        regions = [cut_square(image, face.box, margin, side) for margin in margins]
        steps = (STEP_PX, STEP_PX)
        windows = np.stack([self._descriptor.compute(region, steps, (0, 0)) for region in regions])
        distances = windows.reshape(-1, self._weights.size) @ self._weights
        return float(distances.max()) + self._bias
