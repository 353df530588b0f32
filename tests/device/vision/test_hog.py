from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import DetectorError
from device.settings.tree import Detector
from device.vision.detector import build_detector
from device.vision.hog import read_weights

ASTRONAUT = Path(__file__).parents[3] / "device/camera/astronaut.jpg"


def astronaut(width: int) -> np.ndarray:
    picture = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)
    return np.asarray(cv2.resize(picture, (width, width), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("kind", ["hog", "both"])
@pytest.mark.parametrize("width", [300, 512])
def test_finds_the_astronaut(kind: str, width: int) -> None:
    faces = build_detector(Detector(kind=kind)).detect(astronaut(width))
    centers = [(x * 512 / width, y * 512 / width) for x, y in (f.box.center for f in faces)]
    assert any(170 < x < 280 and 65 < y < 195 for x, y in centers)
    assert len(faces) <= 4
    assert all(0 < face.score <= 1 for face in faces)


@pytest.mark.parametrize("kind", ["hog", "both"])
@pytest.mark.parametrize("size", [(1, 1), (47, 47), (300, 20)])
def test_a_frame_smaller_than_a_face_has_none(kind: str, size: tuple[int, int]) -> None:
    assert build_detector(Detector(kind=kind)).detect(np.zeros(size, np.uint8)) == []


def test_a_flat_picture_has_no_face() -> None:
    assert build_detector(Detector(kind="hog")).detect(np.full((240, 320), 128, np.uint8)) == []


@pytest.mark.parametrize("damage", ["missing", "noise", "shape", "key"])
def test_damaged_weights_are_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.npz"
    if damage == "noise":
        path.write_bytes(b"noise")
    elif damage == "shape":
        np.savez(path, weights=np.zeros(7, np.float32), threshold=0.0)
    elif damage == "key":
        np.savez(path, weights=np.zeros(901, np.float32))
    with pytest.raises(DetectorError, match="weights"):
        read_weights(path)
