"""Haar and HOG together: Haar's faces, and those that only HOG finds."""

from __future__ import annotations

from collections.abc import Callable

from device.vision.nms import without_nested
from device.vocabulary import Face, GreyImage

SAME_FACE = 0.3  # intersection over union
Detect = Callable[[GreyImage], list[Face]]


class HaarAndHogDetector:
    """More faces than either alone (docs/faces.md)."""

    def __init__(self, haar: Detect, hog: Detect, max_faces: int) -> None:
        """Takes the two detectors; each rejects its own ghosts."""
        self._haar, self._hog, self._max_faces = haar, hog, max_faces

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        faces = self._haar(image)
        for added in self._hog(image):
            if all(f.box.intersection_over_union(added.box) < SAME_FACE for f in faces):
                faces.append(added)
        faces = without_nested(faces)
        return sorted(faces, key=lambda face: -face.box.area)[: self._max_faces]
