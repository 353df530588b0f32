from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from device.camera import demo
from device.settings import Settings
from device.settings.tree import Quality
from device.vision.haar import HaarDetector
from device.vision.landmarks import LandmarkModel
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


class CountingLandmarks:
    """Points at the box's corners and middle; counts the faces that it was asked for."""

    def __init__(self) -> None:
        self.placed = 0

    def place(self, image: np.ndarray, faces: Sequence[Face]) -> list[Face]:
        self.placed += len(faces)
        return [replace(face, landmarks=corners(face.box)) for face in faces]


def corners(box: BoundingBox) -> np.ndarray:
    points = [(box.xmin, box.ymin), (box.xmax, box.ymin), box.center]
    points += [(box.xmin, box.ymax), (box.xmax, box.ymax)]
    return np.array(points, np.float32)


def test_landmarks_move_with_a_tracked_face_until_it_is_detected_anew() -> None:
    landmarks = CountingLandmarks()
    stage = FaceStage(HaarDetector(40, 5), Quality(), cast(LandmarkModel, landmarks))
    grey = stage.grey(PORTRAIT)
    here, there = BoundingBox(150, 50, 250, 150), BoundingBox(160, 45, 280, 165)
    other = Face(BoundingBox(300, 200, 400, 300), 0.9, 2, tracked=True)
    stage.examine(grey, [Face(here, 0.9, 1)])
    assert landmarks.placed == 1
    moved, _ = stage.examine(grey, [Face(there, 0.9, 1, tracked=True), other])
    assert landmarks.placed == 2  # the other one, which was not seen before
    assert moved.landmarks is not None
    assert np.allclose(moved.landmarks, corners(there))
    stage.examine(grey, [Face(there, 0.9, 1)])
    assert landmarks.placed == 3
