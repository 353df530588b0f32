"""The quality gate: a face below it is ``uncertain`` with the reason, not guessed."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from device.settings.tree import Quality as QualitySettings
from device.vocabulary import Face, GreyImage

DETAIL_SIGMA_PX = 1.0  # of the 48 px crop: what is finer than this counts as detail


def find_rejection_reason(face: Face, crop: GreyImage, limits: QualitySettings) -> str | None:
    """Why a face's crop, (48, 48) uint8, is not good enough; None when it is."""
    brightness = float(crop.mean())
    if max(face.box.width, face.box.height) < limits.min_face_px:
        return "too small"
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
