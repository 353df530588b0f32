from __future__ import annotations

import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera.demo import PORTRAIT_PATH
from device.errors import ModelError
from device.settings.tree import Detector
from device.vision import MODELS
from device.vision.detector import build_checked, build_detector, load_check
from device.vision.face_check import CheckedDetector, FaceCheck
from device.vocabulary import BoundingBox, Face

FACE = Face(BoundingBox(170, 70, 280, 180), 0.5)
SUIT = Face(BoundingBox(60, 330, 170, 440), 0.9)


def portrait() -> np.ndarray:
    return np.asarray(cv2.imread(str(PORTRAIT_PATH), cv2.IMREAD_GRAYSCALE), np.uint8)


def test_a_face_passes_and_a_suit_does_not() -> None:
    kept = FaceCheck.load().keep(portrait(), [SUIT, FACE])
    assert [face.box for face in kept] == [FACE.box]
    assert 0.5 < kept[0].score <= 1
    assert kept[0].sure


def test_what_is_hardly_a_face_is_kept_but_not_sure() -> None:
    check = FaceCheck.load()
    half = portrait().astype(np.float32)
    kept = []
    for share in np.linspace(0, 1, 41):  # the face fades away
        kept += check.keep(np.asarray(half * (1 - share) + 128 * share, np.uint8), [FACE])
    assert {face.sure for face in kept} == {True, False}
    assert min(f.score for f in kept if f.sure) > max(f.score for f in kept if not f.sure)


def test_no_boxes_no_faces() -> None:
    assert FaceCheck.load().keep(portrait(), []) == []


def test_a_checked_detector_gives_the_largest_first_and_no_more_than_asked_for() -> None:
    picture = np.hstack([portrait(), portrait()])
    small = Face(BoundingBox(177, 77, 273, 173), 0.5)
    large = Face(BoundingBox(682, 70, 792, 180), 0.5)
    check = FaceCheck.load()
    boxes = [small, SUIT, large]
    both = CheckedDetector(lambda _: boxes, check, 5).detect(picture)
    assert [face.box for face in both] == [large.box, small.box]
    assert len(CheckedDetector(lambda _: boxes, check, 1).detect(picture)) == 1


def test_the_settings_detector_is_checked() -> None:
    unchecked = build_checked("hog", 48, 10, None).detect(portrait())
    rejected = [f for f in unchecked if not FaceCheck.load().keep(portrait(), [f])]
    found = build_detector(Detector(kind="hog", min_face_px=48)).detect(portrait())
    assert not {f.box for f in rejected} & {f.box for f in found}


def test_hog_proposes_more_boxes_where_a_check_follows() -> None:
    class KeepsAll(FaceCheck):
        def __init__(self) -> None:
            self.shown: list[Face] = []

        def keep(
            self, image: np.ndarray, faces: list[Face], least_logit: float = 0.0
        ) -> list[Face]:
            self.shown += faces
            return faces

    check = KeepsAll()
    build_checked("hog", 48, 48, check).detect(portrait())
    assert len(check.shown) > len(build_checked("hog", 48, 48, None).detect(portrait())) > 0


@pytest.mark.parametrize("kind", ["hog", "haar"])
def test_of_hog_s_boxes_the_check_keeps_less(kind: str) -> None:
    found = [
        build_checked(kind, 48, 10, load_check()).detect(
            np.asarray(portrait() * (1 - share) + 128 * share, np.uint8)
        )
        for share in np.linspace(0, 0.98, 25)  # the face fades away
    ]
    least = min(face.score for faces in found for face in faces)
    assert (least > 0.88) == (kind == "hog")


def test_a_damaged_check_is_told_and_the_detector_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for suffix in (".tflite", ".json"):
        shutil.copy(MODELS / f"face-check{suffix}", tmp_path)
    (tmp_path / "face-check.tflite").write_bytes(b"broken")
    with caplog.at_level(logging.WARNING, "mien"):
        detector = build_detector(Detector(kind="haar"), tmp_path)
    assert "unchecked" in caplog.text
    assert len(detector.detect(portrait())) >= 1


def test_another_models_pair_is_refused() -> None:
    with pytest.raises(ModelError, match="not 'check'"):
        FaceCheck.load(MODELS / "landmarks.tflite")
    assert load_check() is not None
