from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import DetectorError
from device.settings.tree import Detector
from device.vision.blazeface import anchors_of, decode
from device.vision.blazeface_models import BACK_CAMERA, LAYOUTS, SHORT_RANGE
from device.vision.detector import MODELS, build_detector, choose_kind, is_fetched
from device.vision.haar import HaarDetector

ASTRONAUT = Path(__file__).parents[3] / "device/camera/astronaut.jpg"
FETCHED = is_fetched(MODELS)


def test_anchors_are_as_many_as_the_model_s_answers() -> None:
    anchors = anchors_of(BACK_CAMERA)
    assert anchors.shape == (896, 2)
    assert anchors.min() > 0
    assert anchors.max() < BACK_CAMERA.input_px


def test_anchors_go_row_by_row_with_all_answers_of_a_cell_together() -> None:
    anchors = anchors_of(BACK_CAMERA)
    assert anchors[:4].tolist() == [[8, 8], [8, 8], [24, 8], [24, 8]]
    assert anchors[512:519].tolist() == [[16, 16]] * 6 + [[48, 16]]


def test_boxes_are_relative_to_their_anchors() -> None:
    regressions = np.array([[4, -4, 24, 48] + [0] * 12], np.float32)
    boxes = decode(np.array([[96, 96]], np.float32), regressions)
    assert boxes[0] == pytest.approx([88, 68, 112, 116])


def test_auto_takes_blazeface_only_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_kind("auto", tmp_path) == "haar"
    layouts = [replace(layout, sha256=hashlib.sha256(b"known").hexdigest()) for layout in LAYOUTS]
    monkeypatch.setattr("device.vision.detector.LAYOUTS", layouts)
    (tmp_path / BACK_CAMERA.file).write_bytes(b"known")
    assert choose_kind("auto", tmp_path) == "haar"
    (tmp_path / SHORT_RANGE.file).write_bytes(b"known")
    assert choose_kind("auto", tmp_path) == "blazeface"
    assert choose_kind("haar", tmp_path) == "haar"


def test_auto_goes_on_with_haar_where_blazeface_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for layout in LAYOUTS:
        (tmp_path / layout.file).write_bytes(b"half written")
    assert isinstance(build_detector(Detector(kind="auto"), tmp_path), HaarDetector)
    assert "BlazeFace" in caplog.text
    assert "mien fetch" in caplog.text


def test_asked_for_and_absent_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="mien fetch"):
        build_detector(Detector(kind="blazeface"), tmp_path)


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        (tmp_path / layout.file).write_bytes(b"not a model")
    with pytest.raises(DetectorError, match=r"or damaged: run `mien fetch`"):
        build_detector(Detector(kind="blazeface"), tmp_path)


@pytest.mark.skipif(not FETCHED, reason="BlazeFace is not installed here (mien fetch)")
@pytest.mark.parametrize("width", [256, 512, 1024])
def test_finds_the_astronaut(width: int) -> None:
    picture = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)
    image = np.asarray(cv2.resize(picture, (width, width)), np.uint8)
    faces = build_detector(Detector(kind="blazeface", min_face_px=24)).detect(image)
    assert len(faces) == 1
    x, y = faces[0].box.center
    assert 170 < x * 512 / width < 280
    assert 65 < y * 512 / width < 195


@pytest.mark.skipif(not FETCHED, reason="BlazeFace is not installed here (mien fetch)")
def test_finds_a_face_that_fills_the_frame() -> None:
    picture = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    height, width = picture.shape
    close = picture[: int(height * 0.45), int(width * 0.27) : int(width * 0.63)]
    faces = build_detector(Detector(kind="blazeface")).detect(np.ascontiguousarray(close))
    assert len(faces) == 1
    assert faces[0].box.width > 0.5 * close.shape[1]


@pytest.mark.skipif(not FETCHED, reason="BlazeFace is not installed here (mien fetch)")
def test_pictures_of_any_shape_one_after_the_other() -> None:
    picture = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    detector = build_detector(Detector(kind="blazeface", min_face_px=24))
    for height, width in ((480, 640), (640, 480), (360, 640), (512, 512), (480, 640)):
        image = np.zeros((height, width), np.uint8)
        side = min(height, width)
        image[:side, :side] = cv2.resize(picture, (side, side))
        [face] = detector.detect(image)
        x, y = (value * 512 / side for value in face.box.center)
        assert 170 < x < 280
        assert 65 < y < 195
