"""The demo's suit is taken for a face now and then; nothing but the face may be reported."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from device.camera.demo import PORTRAIT_PATH, Renderer, face_at, pose_at
from device.settings.tree import Detector
from device.vision.detector import build_detector
from device.vision.tracker import DetectAndTrack

FRAME_S = 1 / 15
SIZE = (640, 480)


@pytest.mark.parametrize("kind", ["hog", "both"])
@pytest.mark.parametrize("start_s", [4.0, 16.0])  # the collar of the suit, its badge
def test_the_moving_demo_has_one_face(kind: str, start_s: float) -> None:
    tracker = DetectAndTrack(
        build_detector(Detector(kind=kind)).detect, Detector().interval_s, clock=lambda: 0.0
    )
    renderer = Renderer(*SIZE)
    for number in range(30):
        now_s = start_s + number * FRAME_S
        faces = tracker.update(renderer.draw(pose_at(now_s)), now_s)
        place = face_at(now_s, *SIZE)
        assert all(face.box.intersection_over_union(place) > 0.3 for face in faces), now_s
        assert len(faces) == 1 or number * FRAME_S < 0.7


@pytest.mark.parametrize("kind", ["haar", "hog", "both"])
def test_the_portrait_has_one_face(kind: str) -> None:
    portrait = np.asarray(cv2.imread(str(PORTRAIT_PATH), cv2.IMREAD_GRAYSCALE), np.uint8)
    assert len(build_detector(Detector(kind=kind)).detect(portrait)) == 1


@pytest.mark.parametrize("kind", ["haar", "hog", "both"])
def test_nothing_is_reported_while_the_camera_looks_away(kind: str) -> None:
    tracker = DetectAndTrack(
        build_detector(Detector(kind=kind)).detect, Detector().interval_s, clock=lambda: 0.0
    )
    renderer = Renderer(*SIZE)
    for number in range(38):
        now_s = 55.4 + number * FRAME_S  # a name tag, sharp and large
        assert tracker.update(renderer.draw(pose_at(now_s)), now_s) == [], now_s
