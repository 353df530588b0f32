from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from device.camera import demo
from device.settings import Settings
from device.settings.tree import Quality
from device.vision.haar import HaarDetector
from device.vision.preprocess import crop_face
from device.vision.stage import FaceStage, build_stage
from device.vocabulary import BoundingBox, Face

PORTRAIT = cv2.imread(str(Path(demo.__file__).with_name("astronaut.jpg")))[..., ::-1].copy()


def test_a_found_face_is_placed_cut_and_judged() -> None:
    stage = build_stage(Settings())
    grey = stage.grey(PORTRAIT)
    assert grey.shape == PORTRAIT.shape[:2]
    face = stage.find(grey)[0]
    assert face.landmarks is not None
    assert face.landmarks.shape == (5, 2)
    assert face.crop is not None
    assert np.array_equal(face.crop, crop_face(grey, face))
    assert face.rejection_reason is None


def test_a_rejected_face_keeps_its_place_and_says_why() -> None:
    stage = FaceStage(HaarDetector(40, 5), Quality())
    small, large = BoundingBox(5, 5, 25, 25), BoundingBox(150, 50, 350, 250)
    faces = stage.examine(stage.grey(PORTRAIT), [Face(small, 0.9, 1), Face(large, 0.9, 2)])
    assert [face.track_id for face in faces] == [1, 2]
    assert faces[0].rejection_reason == "too small"
    assert faces[1].landmarks is None


def test_another_detector_is_used_from_then_on() -> None:
    class Blind:
        def detect(self, image: np.ndarray) -> list[Face]:
            return []

    stage = FaceStage(HaarDetector(40, 5), Quality())
    grey = stage.grey(PORTRAIT)
    assert stage.find(grey)
    stage.use(Blind())
    assert stage.find(grey) == []
