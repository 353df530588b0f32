"""Which detector: ``haar``, ``hog``, ``both`` or ``blazeface`` behind one protocol."""

from __future__ import annotations

from device.errors import DetectorError
from device.pipeline import FaceDetector
from device.settings.tree import Detector as DetectorSettings
from device.vision.haar import HaarDetector


def build_detector(settings: DetectorSettings) -> FaceDetector:
    """The detector that the settings name.

    Raises:
        DetectorError: it cannot be built with what is installed.
    """
    if settings.kind == "haar":
        return HaarDetector(settings.min_face_px, settings.max_faces)
    raise DetectorError(f"detector.kind = {settings.kind!r} is not in this version: use 'haar'")
