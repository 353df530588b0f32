from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from device.errors import ModelError
from device.vision.landmarks import LandmarkNetwork
from device.vision.model_card import ModelCard
from device.vision.preprocess import crop_aligned
from device.vocabulary import BoundingBox, Face

CLASSIFIER = Path(__file__).parents[2] / "golden/brightness.tflite"


def test_a_classifier_is_not_taken_for_landmarks() -> None:
    with pytest.raises(ModelError, match="not 'landmarks'"):
        LandmarkNetwork(CLASSIFIER)


def test_a_network_with_another_output_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.tflite"
    shutil.copy(CLASSIFIER, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    card = ModelCard(name="landmarks", version="1", task="landmarks", sha256=sha256)
    path.with_suffix(".json").write_text(card.to_json())
    with pytest.raises(ModelError, match=r"not \(N, 10\)"):
        LandmarkNetwork(path)


def drawn_face(angle_deg: float, size: float) -> tuple[np.ndarray, Face]:
    """Two bright eyes and two bright mouth corners, turned and scaled around (100, 100)."""
    points = np.array([[-20, -20], [20, -20], [0, 0], [-14, 22], [14, 22]]) * size
    angle = np.radians(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (points @ turn.T + 100).astype(np.float32)
    image = np.zeros((200, 200), np.uint8)
    for x, y in landmarks[[0, 1, 3, 4]].round().astype(int):
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
    return image, Face(BoundingBox(60, 60, 140, 140), 1.0, landmarks=landmarks)


@pytest.mark.parametrize(("angle_deg", "size"), [(0, 1), (30, 1), (-30, 1), (0, 1.6), (20, 0.8)])
def test_aligned_crop_is_upright_whatever_the_tilt_and_size(angle_deg: float, size: float) -> None:
    crop = crop_aligned(*drawn_face(angle_deg, size), side=2.2)
    upright = crop_aligned(*drawn_face(0, 1), side=2.2)
    for eye in (slice(0, 24), slice(24, 48)):
        rows, columns = np.nonzero(crop[:24, eye] > 100)
        expected_rows, expected_columns = np.nonzero(upright[:24, eye] > 100)
        assert rows.mean() == pytest.approx(expected_rows.mean(), abs=1)
        assert columns.mean() == pytest.approx(expected_columns.mean(), abs=1)


def test_without_landmarks_the_aligned_crop_is_the_plain_one() -> None:
    image, face = drawn_face(0, 1)
    plain = Face(face.box, 1.0)
    assert crop_aligned(image, plain).shape == (48, 48)


def test_landmarks_in_one_point_do_not_fail() -> None:
    image, face = drawn_face(0, 1)
    collapsed = Face(face.box, 1.0, landmarks=np.full((5, 2), 100, np.float32))
    assert crop_aligned(image, collapsed).shape == (48, 48)
