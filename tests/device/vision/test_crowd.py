"""Twenty faces in one picture, and faces from 40 px to half the frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.settings.tree import Detector
from device.vision.detector import MODELS, build_detector, is_fetched
from device.vision.tracker import DetectAndTrack

ASTRONAUT = Path(__file__).parents[3] / "device/camera/astronaut.jpg"
SHARE = 0.43  # of the head picture below that the face takes
KINDS = ["haar", "both", *(["blazeface"] if is_fetched(MODELS) else [])]


def head(side_px: int) -> np.ndarray:
    picture = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    picture = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(picture[:250, 100:350], (side_px, side_px)), np.uint8)


def crowd() -> np.ndarray:
    frame = np.full((480, 640), 128, np.uint8)
    for row in range(4):
        for column in range(5):
            frame[row * 118 : row * 118 + 118, column * 126 : column * 126 + 118] = head(118)
    return frame


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_faces_are_found_and_tracked(kind: str) -> None:
    detector = build_detector(Detector(kind=kind, max_faces=30))
    tracker = DetectAndTrack(detector.detect, 0.2)
    frame = crowd()
    tracker.update(frame, 0.0)
    faces = tracker.update(frame, 0.1)
    assert len({face.track_id for face in faces}) == len(faces)
    # BlazeFace was made for heads with shoulders: of bare heads this small it loses some.
    assert (15 if kind == "blazeface" else 19) <= len(faces) <= 22


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("face_px", [44, 80, 160, 240])
def test_faces_from_forty_pixels_to_half_the_frame(kind: str, face_px: int) -> None:
    frame = np.full((480, 640), 128, np.uint8)
    portrait = head(min(round(face_px / SHARE), 480))
    frame[: portrait.shape[0], 60 : 60 + portrait.shape[1]] = portrait
    settings = Detector(kind=kind, min_face_px=40)
    faces = build_detector(settings).detect(frame)
    assert faces
    assert any(0.6 * face_px < face.box.width < 1.7 * face_px for face in faces)
