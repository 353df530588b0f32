"""Who may judge: a run's network (tests/training/gan/test_evaluate.py), or a pair as it ships."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import device
from device.errors import UsageError
from training.data.fer2013 import Pictures, Split, read_pictures
from training.gan.judging import Judge, load_judge, opinions
from training.reports.tflite import TfliteClassifier

MODELS = Path(device.__file__).parent / "models"


@pytest.fixture(scope="module")
def pictures(drawn: tuple[Path, Path]) -> Pictures:
    return read_pictures(*drawn)


def test_the_last_layer_makes_the_logits_of_the_features() -> None:
    network = TfliteClassifier((MODELS / "expression.tflite").read_bytes())
    coarse = np.random.default_rng(3).integers(0, 256, (400, 6, 6), np.uint8)
    pixels = np.stack([cv2.resize(picture, (48, 48)) for picture in coarse])
    features, logits = network.features(pixels), network.logits(pixels)
    assert features.shape == (400, 160)
    assert features.min() >= 0  # averages of what a ReLU lets through
    # Linear up to int8's rounding, which differs between kernels: 161 numbers explain the 400 of each column.
    with_one = np.concatenate([features, np.ones((400, 1))], axis=1)
    fitted = with_one @ np.linalg.lstsq(with_one, logits, rcond=None)[0]
    assert np.abs(fitted - logits).mean() < 0.1 * logits.std(axis=0).mean()


def test_a_shipped_pair_judges_by_the_head_that_it_has(pictures: Pictures) -> None:
    train, real = pictures.split(Split.TRAIN), pictures.split(Split.VALIDATION)
    judge = load_judge(MODELS / "expression.tflite", "crowd", train, real)
    assert (judge.name, judge.head) == ("expression", "crowd")
    assert judge.temperature > 0
    assert judge.prior.sum() == pytest.approx(1)
    with pytest.raises(UsageError, match="has the head crowd, not fer2013"):
        load_judge(MODELS / "expression.tflite", "fer2013", train, real)
    with pytest.raises(UsageError, match=r"no judge: .*absent"):
        load_judge(MODELS / "absent.tflite", "crowd", train, real)


def test_a_common_expression_s_lead_is_taken_away() -> None:
    prior = np.array([0.01, 0.01, 0.01, 0.3, 0.01, 0.01, 0.65])
    judge = Judge("wise", "1", "crowd", lambda p: p, lambda p: p, temperature=2.0, prior=prior)
    logits = np.zeros((1, 7), np.float32)
    logits[0, [1, 6]] = 1.0, 3.0
    assert logits.argmax() == 6
    fair = judge.unprejudiced(logits)
    np.testing.assert_allclose(fair[0], logits[0] / 2 - np.log(prior))
    assert fair.argmax() == 1
    found = opinions(judge, logits, np.array([1]))
    assert (found["judge_accuracy"], found["judge_accuracy_unprejudiced"]) == (0.0, 1.0)
