import shutil
from pathlib import Path

import numpy as np
import pytest

from device.errors import ModelError
from device.vision.preprocess import crop_face
from device.vision.synthesizer import Synthesizer, blend, fade_window
from device.vocabulary import EXPRESSIONS, BoundingBox, Expression, Face

GOLDEN = Path(__file__).parents[2] / "golden"
STEPS = GOLDEN / "steps.tflite"
LIGHT = {e: 20 * (number - 3) for number, e in enumerate(EXPRESSIONS)}


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return Synthesizer.load(STEPS)


def detailed(height: int = 200, width: int = 240) -> np.ndarray:
    random = np.random.default_rng(5)
    return random.integers(90, 160, (height, width, 3), np.uint8)


def test_each_target_reaches_the_network(synthesizer: Synthesizer) -> None:
    crop = np.full((48, 48), 128, np.uint8)
    for expression, light in LIGHT.items():
        made = synthesizer.translate(crop, expression)
        assert int(made[24, 24]) == 128 + light
        assert int(made[0, 0]) == 128


def test_only_the_face_changes_and_the_original_stays(synthesizer: Synthesizer) -> None:
    image = detailed()
    before = image.copy()
    face = Face(BoundingBox(60, 40, 160, 140), 1.0)
    made = synthesizer.synthesize(image, face, Expression.NEUTRAL)
    np.testing.assert_array_equal(before, image)
    assert made.shape == image.shape
    outside = np.ones(image.shape[:2], bool)
    outside[30:150, 50:170] = False
    np.testing.assert_array_equal(image[outside], made[outside])
    lighter = made[80:100, 100:120].mean() - image[80:100, 100:120].mean()
    assert lighter == pytest.approx(60, abs=3)


def test_an_unchanged_face_keeps_every_pixel_of_the_picture(synthesizer: Synthesizer) -> None:
    image = detailed()
    made = synthesizer.synthesize(image, Face(BoundingBox(60, 40, 160, 140), 1.0), Expression.HAPPY)
    np.testing.assert_array_equal(image, made)


def test_a_small_change_keeps_the_detail_and_a_large_one_covers_it(
    synthesizer: Synthesizer,
) -> None:
    image = detailed()[..., 0]
    face = Face(BoundingBox(60, 40, 160, 140), 1.0)
    middle = (slice(85, 95), slice(105, 115))
    spread = image[middle].std()
    small = synthesizer.synthesize(image, face, Expression.SAD)[middle].std()
    large = synthesizer.synthesize(image, face, Expression.ANGRY)[middle].std()
    assert large < 0.5 * spread < small


def test_a_face_reaching_beyond_the_picture_is_blended_where_it_is_inside(
    synthesizer: Synthesizer,
) -> None:
    image = detailed(100, 100)
    made = synthesizer.synthesize(image, Face(BoundingBox(-30, -30, 60, 60), 1.0), Expression.ANGRY)
    assert made.shape == image.shape
    assert made[15, 15].mean() < image[15, 15].mean() - 40
    np.testing.assert_array_equal(image[80:], made[80:])


def test_a_face_wholly_outside_changes_nothing() -> None:
    image = detailed(60, 60)[..., 0]
    box = BoundingBox(200, 200, 260, 260)
    crop = crop_face(image, Face(box, 1.0))
    np.testing.assert_array_equal(image, blend(image, box, crop, crop + 40))


def test_the_change_fades_to_nothing_at_the_border() -> None:
    window = fade_window()
    assert window[24, 24] == 1
    assert window[0].max() < 0.02
    assert window[:, -1].max() < 0.02


def copy_pair(folder: Path) -> Path:
    for suffix in (".tflite", ".json"):
        shutil.copy(STEPS.with_suffix(suffix), folder / f"steps{suffix}")
    return folder / "steps.tflite"


def test_a_classifier_is_refused() -> None:
    with pytest.raises(ModelError, match="not 'synthesize'"):
        Synthesizer.load(GOLDEN / "brightness.tflite")


def test_a_network_with_another_contract_is_refused(tmp_path: Path) -> None:
    for suffix in (".tflite", ".json"):
        text = (GOLDEN / f"brightness{suffix}").read_bytes()
        text = text.replace(b'"task": "classify"', b'"task": "synthesize"')
        (tmp_path / f"x{suffix}").write_bytes(text)
    with pytest.raises(ModelError, match="does not take a uint8 face and a float32 target"):
        Synthesizer.load(tmp_path / "x.tflite")


def test_a_failed_self_test_is_said(tmp_path: Path) -> None:
    path = copy_pair(tmp_path)
    card = path.with_suffix(".json")
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('"target": "neutral"', '"target": "angry"'), encoding="utf-8")
    with pytest.raises(ModelError, match="self-test failed: golden vector 1 is off by"):
        Synthesizer.load(path)


def test_a_damaged_golden_vector_is_said(tmp_path: Path) -> None:
    path = copy_pair(tmp_path)
    card = path.with_suffix(".json")
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('"target": "neutral"', '"target": "smug"'), encoding="utf-8")
    with pytest.raises(ModelError, match="golden vector 1 of the card is unreadable"):
        Synthesizer.load(path)
