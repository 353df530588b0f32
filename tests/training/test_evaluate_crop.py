from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vision.classifier import TFLiteClassifier
from device.vision.preprocess import crop_face
from device.vocabulary import BoundingBox, Face
from training.evaluate_crop import accuracy, read_labelled

MODEL = Path(__file__).parents[1] / "golden/brightness.tflite"
HAPPY, SAD = 3, 4


def test_accuracy_counts_pictures_without_a_face_as_wrong() -> None:
    bright, dark = np.full((80, 80), 250, np.uint8), np.full((80, 80), 5, np.uint8)
    face = Face(BoundingBox(20, 20, 60, 60), 1)
    share = accuracy([bright, dark, bright, bright], [face, face, face, None],
                     np.array([HAPPY, SAD, SAD, HAPPY]), TFLiteClassifier.load(MODEL), crop_face)  # fmt: skip
    assert share == 0.5


def test_reads_pictures_with_the_numbers_of_their_labels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9), np.uint8))
    (tmp_path / "labels.csv").write_text("file,label\na.png,neutral\n")
    pictures, labels = read_labelled(tmp_path)
    assert pictures[0].shape == (9, 9)
    assert labels.tolist() == [6]


@pytest.mark.parametrize("text", [None, "file,label\na.png,cheerful\n", "file,mood\na.png,sad\n"])
def test_bad_labels_are_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=r"labels\.csv"):
        read_labelled(tmp_path)
