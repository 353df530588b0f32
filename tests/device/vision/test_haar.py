from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import DetectorError
from device.settings.tree import Detector
from device.vision import haar
from device.vision.detector import build_detector
from device.vision.preprocess import to_grey

ASTRONAUT = Path(__file__).parents[3] / "device/camera/astronaut.jpg"
FACE = (170, 65, 280, 195)  # drawn by hand around the astronaut's face, px of 512


def astronaut(width: int = 512) -> np.ndarray:
    picture = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return np.asarray(cv2.resize(picture, (width, width), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_finds_the_astronaut_at_every_size(scale: float) -> None:
    faces = build_detector(Detector(kind="haar")).detect(astronaut(int(512 * scale)))
    assert len(faces) >= 1
    x, y = faces[0].box.center
    assert FACE[0] * scale < x < FACE[2] * scale
    assert FACE[1] * scale < y < FACE[3] * scale
    assert 0.5 < faces[0].score <= 1


def test_does_not_look_for_smaller_faces_than_asked() -> None:
    detector = build_detector(Detector(kind="haar", min_face_px=300))
    assert detector.detect(astronaut()) == []


def test_keeps_the_largest_faces() -> None:
    small = astronaut(256)
    picture = np.hstack([astronaut(), np.vstack([small, small])])
    faces = build_detector(Detector(kind="haar", max_faces=2)).detect(picture)
    assert len(faces) == 2
    assert faces[0].box.area >= faces[1].box.area
    assert faces[0].box.center[0] < 512


@pytest.mark.parametrize("size", [(1, 1), (10, 400), (47, 47)])
def test_a_frame_smaller_than_a_face_has_none(size: tuple[int, int]) -> None:
    assert build_detector(Detector(kind="haar")).detect(np.zeros(size, np.uint8)) == []


def test_colour_and_grey_are_one() -> None:
    grey = astronaut()
    assert np.array_equal(to_grey(np.dstack([grey] * 3)), grey)


def test_a_cascade_that_is_nowhere_names_the_package() -> None:
    with pytest.raises(DetectorError, match="opencv-data"):
        haar.load_cascade("no_such_cascade.xml")
