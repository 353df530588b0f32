from __future__ import annotations

import cv2
import numpy as np
import pytest

from device.settings.tree import Quality
from device.vision.preprocess import crop_face
from device.vision.quality import find_rejection_reason, yaw
from device.vocabulary import BoundingBox, Face, GreyImage

FACE = Face(BoundingBox(20, 20, 100, 100), 0.9)
FRONTAL = np.array([[40, 50], [80, 50], [60, 70], [45, 85], [75, 85]], np.float32)


def textured(low: int = 60, high: int = 200) -> GreyImage:
    blocks = np.random.default_rng(0).integers(low, high, (30, 30), dtype=np.uint8)
    return np.kron(blocks, np.ones((4, 4), np.uint8))


def reason_for(image: GreyImage, face: Face = FACE) -> str | None:
    return find_rejection_reason(face, crop_face(image, face), Quality())


def test_a_good_face_is_not_rejected() -> None:
    assert reason_for(textured()) is None


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (textured(0, 15), "too dark"),
        (textured(246, 255), "too bright"),
        (cv2.GaussianBlur(textured(), (0, 0), 12), "blurred"),
    ],
)
def test_names_the_reason(image: GreyImage, reason: str) -> None:
    assert reason_for(image) == reason


def test_a_small_face_is_rejected() -> None:
    assert reason_for(textured(), Face(BoundingBox(20, 20, 45, 45), 0.9)) == "too small"


def test_a_turned_face_is_rejected_only_with_landmarks() -> None:
    turned = FRONTAL.copy()
    turned[2, 0] = 90  # the nose beyond the left eye
    assert reason_for(textured(), Face(FACE.box, 0.9, landmarks=turned)) == "turned away"
    assert reason_for(textured(), Face(FACE.box, 0.9, landmarks=FRONTAL)) is None


def test_yaw_does_not_mind_a_tilted_head() -> None:
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    shifted = FRONTAL + np.array([[0, 0], [0, 0], [10, 0], [0, 0], [0, 0]], np.float32)
    assert yaw(shifted @ turn.T) == pytest.approx(yaw(shifted), abs=1e-4)
    assert yaw(shifted) == pytest.approx(0.25)


def test_landmarks_in_one_point_count_as_turned_away() -> None:
    assert yaw(np.zeros((5, 2), np.float32)) == float("inf")
