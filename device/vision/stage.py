"""From a frame to faces that can be classified: detect, place landmarks, cut, judge quality.

The daemon and ``mien analyze`` take the same steps. Training takes from here, and only from
here, the parts of the device that it measures.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from device.errors import ModelError
from device.settings import Settings
from device.settings.tree import Quality
from device.vision import MODELS
from device.vision.blazeface import BlazeFaceDetector
from device.vision.classifier import TFLiteClassifier
from device.vision.detector import FaceDetector, build_checked, build_detector, load_check
from device.vision.expression_smoother import ExpressionSmoother
from device.vision.face_check import CHECK_MARGIN
from device.vision.haar import HaarDetector, load_cascade
from device.vision.hog import CELL_PX, WEIGHTS_PATH, WINDOW_PX, HogDetector, make_descriptor
from device.vision.interval_classifier import IntervalClassifier
from device.vision.landmarks import SHIPPED, LandmarkModel
from device.vision.preprocess import crop_face, to_grey
from device.vision.quality import find_rejection_reason
from device.vision.tracker import DetectAndTrack, DetectionInterval
from device.vocabulary import Face, GreyImage, Image

__all__ = [
    "CELL_PX", "CHECK_MARGIN", "MODELS", "SHIPPED", "WEIGHTS_PATH", "WINDOW_PX",
    "BlazeFaceDetector", "DetectAndTrack", "DetectionInterval", "ExpressionSmoother", "FaceStage",
    "HaarDetector", "HogDetector", "IntervalClassifier", "LandmarkModel", "TFLiteClassifier",
    "Vision", "build_checked", "build_detector", "build_stage", "load_cascade", "load_check",
    "make_descriptor",
]  # fmt: skip

log = logging.getLogger("mien")


class FaceStage:
    """The steps between a frame and its faces.

    Attributes:
        landmarks: None where the landmark model is absent: faces then go without points.
    """

    def __init__(
        self, detector: FaceDetector, limits: Quality, landmarks: LandmarkModel | None = None
    ) -> None:
        self._detector, self._limits, self.landmarks = detector, limits, landmarks
        self._placed: dict[int, Face] = {}  # the last frame's faces with their landmarks

    def use(self, detector: FaceDetector) -> None:
        """Goes on with another detector."""
        self._detector = detector

    def grey(self, image: Image) -> GreyImage:
        """What all other steps look at: (height, width) uint8."""
        return to_grey(image)

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first: boxes and scores."""
        return self._detector.detect(image)

    def examine(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        """The same faces with landmarks, crop and rejection reason.

        The landmarks of a face that is tracked move with it until it is detected anew.
        """
        examined = []
        for face in self._place(image, faces):
            crop = crop_face(image, face)
            reason = find_rejection_reason(face, crop, self._limits)
            examined.append(replace(face, crop=crop, rejection_reason=reason))
        return examined

    def _place(self, image: GreyImage, faces: Sequence[Face]) -> list[Face]:
        if self.landmarks is None:
            return list(faces)
        before = [self._placed.get(f.track_id or 0) if f.tracked else None for f in faces]
        anew = iter(
            self.landmarks.place(
                image, [f for f, b in zip(faces, before, strict=True) if b is None]
            )
        )
        placed = [
            next(anew) if b is None else moved_landmarks(b, f)
            for f, b in zip(faces, before, strict=True)
        ]
        self._placed = {face.track_id: face for face in placed if face.track_id is not None}
        return placed

    def find(self, image: GreyImage) -> list[Face]:
        """The faces of a still picture, largest first, ready to be classified."""
        return self.examine(image, self.detect(image))


def moved_landmarks(before: Face, face: Face) -> Face:
    """``face`` with the landmarks that it had a frame before, moved with its box."""
    if before.landmarks is None:
        return face
    offset = np.subtract(face.box.center, before.box.center)
    scale = face.box.width / max(before.box.width, 1e-6)
    points = (before.landmarks - before.box.center) * scale + before.box.center + offset
    return replace(face, landmarks=points.astype(np.float32))


@dataclass(frozen=True)
class Vision:
    """The parts between a frame and its stable expressions."""

    stage: FaceStage
    tracker: DetectAndTrack
    classifier: TFLiteClassifier
    smoother: ExpressionSmoother


def build_stage(settings: Settings) -> FaceStage:
    """The stage as the settings say.

    Raises:
        DetectorError: the detector cannot be built with what is installed.
    """
    landmarks = None
    try:
        landmarks = LandmarkModel.load(SHIPPED) if SHIPPED.is_file() else None
    except ModelError as error:
        log.warning("faces go without landmarks: %s", error)
    return FaceStage(build_detector(settings.detector), settings.quality, landmarks)
