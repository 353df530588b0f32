from __future__ import annotations

from pathlib import Path

import numpy as np

from device.vision.classifier import TFLiteClassifier
from device.vision.preprocess import crop_face
from device.vocabulary import BoundingBox, Face
from training.reports.crops import crop_mirrored
from training.reports.evaluate_crop import accuracy

MODEL = Path(__file__).parents[2] / "golden/brightness.tflite"
HAPPY, SAD = 3, 4


def test_accuracy_counts_pictures_without_a_face_as_wrong() -> None:
    bright, dark = np.full((80, 80), 250, np.uint8), np.full((80, 80), 5, np.uint8)
    face = Face(BoundingBox(20, 20, 60, 60), 1)
    share = accuracy([bright, dark, bright, bright], [face, face, face, None],
                     np.array([HAPPY, SAD, SAD, HAPPY]), TFLiteClassifier.load(MODEL), [crop_face])  # fmt: skip
    assert share == 0.5


def test_logits_of_two_crops_are_averaged() -> None:
    bright = np.full((80, 80), 250, np.uint8)
    face = Face(BoundingBox(20, 20, 60, 60), 1)

    def black(image: np.ndarray, face: Face) -> np.ndarray:
        return np.zeros((48, 48), np.uint8)

    def share(*crops: object) -> float:
        return accuracy([bright], [face], np.array([HAPPY]), TFLiteClassifier.load(MODEL), [*crops])

    assert share(crop_face, crop_mirrored) == share(crop_face) == 1.0
    assert share(black) == share(crop_face, black, black) == 0.0
