"""The quality gate: a face below it is ``uncertain`` with the reason, not guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from device.settings.tree import Quality as QualitySettings
from device.vision.preprocess import crop_face
from device.vocabulary import Face, GreyImage

DETAIL_SIGMA_PX = 1.0  # of the 48 px crop: what is finer than this counts as detail


class QualityGate:
    """Says of every face whether its crop is good enough to name an expression."""

    def __init__(self, settings: QualitySettings) -> None:
        self._limits = settings

    def judge(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        """The same faces with ``rejection_reason`` set; ``image`` is (height, width) uint8."""
        return [replace(face, rejection_reason=self._reason(image, face)) for face in faces]

    def _reason(self, image: GreyImage, face: Face) -> str | None:
        limits = self._limits
        if max(face.box.width, face.box.height) < limits.min_face_px:
            return "too small"
        crop = crop_face(image, face)
        brightness = float(crop.mean())
        if brightness < limits.min_brightness:
            return "too dark"
        if brightness > limits.max_brightness:
            return "too bright"
        if sharpness(crop) < limits.min_sharpness:
            return "blurred"
        if face.landmarks is not None and yaw(face.landmarks) > limits.max_yaw:
            return "turned away"
        return None


def sharpness(crop: GreyImage) -> float:
    """Spread (standard deviation, grey levels) of what a slight blur takes from the crop."""
    blurred = cv2.GaussianBlur(crop, (0, 0), DETAIL_SIGMA_PX)
    return float(np.std(crop.astype(np.float32) - blurred))


def yaw(landmarks: npt.NDArray[np.float32]) -> float:
    """How far the nose stands off the middle of the eyes along their line, in eye distances."""
    right_eye, left_eye, nose = landmarks[0], landmarks[1], landmarks[2]
    across = left_eye - right_eye
    distance = float(np.hypot(*across))
    if distance < 1e-3:
        return float("inf")
    return abs(float(np.dot(nose - (right_eye + left_eye) / 2, across))) / distance**2
