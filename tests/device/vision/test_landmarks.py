from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from device.errors import ModelError
from device.vision.landmarks import (
    WIDE_MARGIN,
    WIDE_PX,
    LandmarkModel,
    box_view,
    in_frame,
)
from device.vision.model_card import ModelCard
from device.vision.preprocess import (
    MIN_UNIT_PX,
    UPRIGHT_SIDE,
    cut_square,
    cut_view,
    from_view,
    to_view,
    upright,
)
from device.vocabulary import BoundingBox, Face

CLASSIFIER = Path(__file__).parents[2] / "golden/brightness.tflite"
SHIPPED = Path(__file__).parents[3] / "device/models/landmarks.tflite"
POINTS = np.array([[40, 40], [80, 40], [60, 62], [46, 80], [74, 80]], np.float32)


def test_a_classifier_is_not_taken_for_landmarks() -> None:
    with pytest.raises(ModelError, match="not 'landmarks'"):
        LandmarkModel.load(CLASSIFIER)


def test_a_network_with_another_output_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.tflite"
    shutil.copy(CLASSIFIER, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    card = ModelCard(name="landmarks", version="1", task="landmarks", sha256=sha256)
    path.with_suffix(".json").write_text(card.to_json())
    with pytest.raises(ModelError, match=r"not \(1, 10\)"):
        LandmarkModel.load(path)


def turned(angle_deg: float, scale: float = 1.0) -> np.ndarray:
    angle = np.radians(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((POINTS - 60) @ turn.T * scale + 60, np.float32)


@pytest.mark.parametrize(("angle_deg", "scale"), [(0, 1), (30, 1), (-50, 1), (0, 2), (170, 0.5)])
def test_upright_shows_every_face_alike(angle_deg: float, scale: float) -> None:
    seen = to_view(turned(angle_deg, scale), upright(turned(angle_deg, scale), UPRIGHT_SIDE))
    assert seen == pytest.approx(to_view(POINTS, upright(POINTS, UPRIGHT_SIDE)), abs=1e-3)
    assert seen[0, 1] == pytest.approx(seen[1, 1], abs=1e-3)
    assert seen[1, 0] - seen[0, 0] == pytest.approx(1 / UPRIGHT_SIDE, abs=1e-3)


def test_there_and_back_is_the_same_point() -> None:
    view = upright(turned(20), UPRIGHT_SIDE)
    assert from_view(to_view(POINTS, view), view) == pytest.approx(POINTS, abs=1e-3)


def test_points_in_a_heap_do_not_zoom_in() -> None:
    view = upright(np.full((5, 2), 50, np.float32), UPRIGHT_SIDE)
    assert np.isfinite(view).all()
    assert np.hypot(*view[0, :2]) == pytest.approx(48 / (UPRIGHT_SIDE * MIN_UNIT_PX))


def test_pixels_of_the_wide_picture_are_found_again_in_the_frame() -> None:
    frame = np.zeros((300, 400), np.uint8)
    frame[118:123, 198:203] = 255  # its middle is (200, 120)
    face = Face(BoundingBox(150, 70, 270, 190), 1.0)
    wide = cut_square(frame, face.box, WIDE_MARGIN, WIDE_PX)
    ys, xs = np.nonzero(wide > 60)
    spot = np.tile(np.array([xs.mean(), ys.mean()], np.float32), (5, 1))
    assert in_frame(spot, face)[0] == pytest.approx([200, 120], abs=1.0)
    seen = to_view(spot, box_view())[0] * 48 - 0.5
    crop = cut_view(wide, box_view())
    assert crop[round(seen[1]), round(seen[0])] > 60


def test_the_shipped_model_looks_at_crowds_and_at_the_frame_s_edge() -> None:
    model = LandmarkModel.load(SHIPPED)
    frame = np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)
    faces = [Face(BoundingBox(x, 10, x + 50, 60), 1.0) for x in range(-20, 150, 15)]
    placed = model.place(frame, faces)
    assert [face.box for face in placed] == [face.box for face in faces]
    for face in placed:
        assert face.landmarks is not None
        assert face.landmarks.shape == (5, 2)
        assert np.isfinite(face.landmarks).all()
    assert model.place(frame, []) == []
