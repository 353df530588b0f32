from __future__ import annotations

import numpy as np
import pytest

from device.vision.preprocess import MARGIN, crop_face
from device.vocabulary import BoundingBox, Face
from training.reports.crops import crop_aligned, crop_turned


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
    assert crop_aligned(image, plain, 2.2).shape == (48, 48)


def test_landmarks_in_one_point_do_not_fail() -> None:
    image, face = drawn_face(0, 1)
    collapsed = Face(face.box, 1.0, landmarks=np.full((5, 2), 100, np.float32))
    assert crop_aligned(image, collapsed, 2.2).shape == (48, 48)


@pytest.mark.parametrize("angle_deg", [0, 25, -25])
def test_turned_crop_is_level_and_as_large_as_the_box_s(angle_deg: float) -> None:
    image, face = drawn_face(angle_deg, 1)
    rows, columns = np.nonzero(crop_turned(image, face, turn=1.0)[:24] > 100)
    left, right = columns < 24, columns >= 24
    assert rows[left].mean() == pytest.approx(rows[right].mean(), abs=1)
    distance = columns[right].mean() - columns[left].mean()
    assert distance == pytest.approx(40 * 48 / (80 * (1 + MARGIN)), abs=1)


def test_turned_by_nothing_it_is_the_plain_crop() -> None:
    image, face = drawn_face(20, 1)
    turned = crop_turned(image, face, turn=0.0).astype(int)
    assert np.abs(turned - crop_face(image, face)).mean() < 3


def test_centred_crop_follows_the_points_when_the_box_is_wrong() -> None:
    image, face = drawn_face(0, 1)
    wrong = Face(BoundingBox(75, 50, 155, 130), 1.0, landmarks=face.landmarks)
    right = crop_turned(image, face, turn=1.0, centred=True)
    assert np.array_equal(crop_turned(image, wrong, turn=1.0, centred=True), right)
