from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from device.errors import ModelError
from device.vision.classifier import TFLiteClassifier
from device.vision.model_card import read_card, read_model
from device.vision.preprocess import crop_face
from device.vocabulary import BoundingBox, Expression, Face

MODEL = Path(__file__).parents[2] / "golden/brightness.tflite"
LEFT, RIGHT = BoundingBox(0, 0, 60, 60), BoundingBox(60, 0, 120, 60)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for suffix in (".tflite", ".json"):
        shutil.copy(MODEL.with_suffix(suffix), tmp_path)
    return tmp_path / MODEL.name


def change_card(model: Path, **changes: object) -> None:
    card = model.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | changes))


def faces_of(image: np.ndarray, *boxes: BoundingBox) -> list[Face]:
    faces = [Face(box, 1) for box in boxes]
    return [dataclasses.replace(face, crop=crop_face(image, face)) for face in faces]


def half_bright() -> np.ndarray:
    image = np.zeros((60, 120), np.uint8)
    image[:, 60:] = 255
    return image


def test_names_each_face_in_order() -> None:
    classifier = TFLiteClassifier.load(MODEL)
    answers = classifier.classify(faces_of(half_bright(), LEFT, RIGHT))
    assert [a.expression for a in answers] == [Expression.SAD, Expression.HAPPY]
    for answer in answers:
        assert answer.probabilities.dtype == np.float32
        assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_temperature_of_the_card_divides_the_logits() -> None:
    classifier = TFLiteClassifier.load(MODEL)
    white = np.full((1, 48, 48), 255, np.uint8)
    logits = classifier.logits(white)[0] / 2  # the card's temperature
    expected = np.exp(logits) / np.exp(logits).sum()
    assert classifier.probabilities(white)[0] == pytest.approx(expected, abs=1e-6)


def test_balanced_prior_shifts_and_natural_does_not() -> None:
    white = np.full((1, 48, 48), 255, np.uint8)
    natural = TFLiteClassifier.load(MODEL, "natural").probabilities(white)[0]
    balanced = TFLiteClassifier.load(MODEL, "balanced").probabilities(white)[0]
    assert int(natural.argmax()) == 3
    assert int(balanced.argmax()) == 1  # the card shifts disgust by 5


@pytest.mark.parametrize("number", [0, 1, 2, 3, 8, 9, 21])
def test_a_batch_gives_what_single_crops_give(number: int) -> None:
    classifier = TFLiteClassifier.load(MODEL)
    image = np.tile(np.linspace(0, 255, 480, dtype=np.uint8), (60, 1))
    faces = faces_of(image, *(BoundingBox(20 * i, 0, 20 * i + 48, 48) for i in range(number)))
    together = [a.probabilities for a in classifier.classify(faces)]
    alone = [classifier.classify([face])[0].probabilities for face in faces]
    assert len(together) == number
    for a, b in zip(together, alone, strict=True):
        assert a == pytest.approx(b, abs=1e-6)


def test_a_rejected_face_is_not_guessed() -> None:
    [bright] = faces_of(half_bright(), RIGHT)
    blurred = dataclasses.replace(bright, rejection_reason="blurred")
    answers = TFLiteClassifier.load(MODEL).classify([blurred, bright])
    assert answers[0].expression is Expression.UNCERTAIN
    assert answers[0].probabilities == pytest.approx([1 / 7] * 7)
    assert answers[1].expression is Expression.HAPPY


def test_a_face_outside_the_frame_does_not_fail() -> None:
    outside = faces_of(half_bright(), BoundingBox(-500, -500, -400, -400))
    assert len(TFLiteClassifier.load(MODEL).classify(outside)) == 1


def test_a_face_that_was_never_cut_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="without a crop"):
        TFLiteClassifier.load(MODEL).classify([Face(LEFT, 1)])


def test_truncated_model_is_refused(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(ModelError, match="sha256"):
        TFLiteClassifier.load(model)


def test_noise_behind_a_fitting_card_is_refused(model: Path) -> None:
    noise = b"\0\0\0\0TFL3" + bytes(range(256))
    model.write_bytes(noise)
    import hashlib

    change_card(model, sha256=hashlib.sha256(noise).hexdigest())
    with pytest.raises(ModelError, match=str(model)):
        TFLiteClassifier.load(model)


def test_wrong_golden_vector_fails_the_self_test(model: Path) -> None:
    golden = read_card(model.with_suffix(".json")).golden
    golden[0]["output"][3] = -4.0
    change_card(model, golden=golden)
    with pytest.raises(ModelError, match="self-test failed: golden vector 1"):
        TFLiteClassifier.load(model)


@pytest.mark.parametrize("golden", [[{"input": "AAAA", "output": [0] * 7}], [{"output": []}], [3]])
def test_unreadable_golden_vector_is_refused(model: Path, golden: list[object]) -> None:
    change_card(model, golden=golden)
    with pytest.raises(ModelError, match="golden vector 1"):
        TFLiteClassifier.load(model)


def test_wrong_labels_are_refused(model: Path) -> None:
    change_card(model, labels=["angry", "happy"])
    with pytest.raises(ModelError, match="labels"):
        TFLiteClassifier.load(model)


def test_a_missing_card_or_model_is_named(model: Path) -> None:
    model.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match="model card"):
        TFLiteClassifier.load(model)
    with pytest.raises(ModelError, match="cannot read the model"):
        read_model(model.with_name("nothing.tflite"))
