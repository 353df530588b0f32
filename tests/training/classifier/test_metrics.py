from __future__ import annotations

import numpy as np
import pytest

from training.classifier.metrics import (
    calibration_error,
    fit_prior_shift,
    fit_temperature,
    scores,
    softmax,
    truth_of,
)
from training.data.fer2013 import CROWD_ORDER, NOT_A_FACE, Pictures


def one_hot(answers: list[int]) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[answers] * 10


def test_scores_are_the_papers_equations() -> None:
    labels = np.array([0, 0, 0, 3, 3, 6])
    result = scores(one_hot([0, 0, 3, 3, 3, 3]), labels)
    assert result["accuracy"] == round(4 / 6, 4)
    assert result["classes"]["angry"] == {"n": 3, "precision": 1.0, "recall": 0.6667, "f1": 0.8}
    assert result["classes"]["happy"] == {"n": 2, "precision": 0.5, "recall": 1.0, "f1": 0.6667}
    assert result["classes"]["neutral"]["f1"] == 0.0
    assert result["balanced_accuracy"] == round((2 / 3 + 1 + 0) / 3, 4)
    assert result["macro_f1"] == round((0.8 + 2 / 3) / 7, 4)
    assert np.array(result["confusion"])[0].tolist() == [2, 0, 0, 1, 0, 0, 0]


def test_calibration_error_is_the_gap_between_said_and_true() -> None:
    probabilities = np.full((10, 7), 0.2 / 6, np.float32)
    probabilities[:, 2] = 0.8
    labels = np.array([2] * 5 + [1] * 5)
    assert calibration_error(probabilities, labels) == pytest.approx(0.3)


def test_temperature_takes_back_what_was_multiplied() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, (4000, 7))
    draws = [random.choice(7, p=p / p.sum()) for p in softmax(logits).astype(float)]
    fitted = fit_temperature((logits * 2).astype(np.float32), np.array(draws))
    assert fitted == pytest.approx(2.0, abs=0.15)


def test_prior_shift_takes_back_the_prior_that_a_network_took_over() -> None:
    random = np.random.default_rng(3)
    prior = np.array([0.05, 0.01, 0.04, 0.4, 0.1, 0.1, 0.3])
    labels = np.repeat(np.arange(7), 300)
    evidence = random.normal(0, 1.5, (len(labels), 7))
    evidence[np.arange(len(labels)), labels] += 1.5**2  # log-likelihoods of a Gaussian each
    for share in (0.0, 0.5, 1.0):
        logits = (evidence + share * np.log(prior)).astype(np.float32)
        strength, shift = fit_prior_shift(logits, labels, prior)
        assert strength == pytest.approx(share, abs=0.1)
        assert np.sum(shift) == pytest.approx(0, abs=1e-3)
    absent = fit_prior_shift(logits, labels, np.where(prior < 0.02, 0, prior))
    assert np.isfinite(absent[1]).all()


def test_prior_shift_lifts_the_rare_class() -> None:
    prior = np.array([0.3, 0.01, 0.2, 0.2, 0.09, 0.1, 0.1])
    labels = np.array([0] * 90 + [1] * 10)
    logits = np.zeros((100, 7), np.float32)
    logits[:, 0] = 3.0  # says angry unless shifted
    logits[:90, 1] = -3.0
    logits[90:, 1] = 2.0
    strength, shift = fit_prior_shift(logits, labels, prior)
    assert strength > 0
    assert shift[1] == max(shift)
    shifted = scores(logits + np.array(shift, np.float32), labels)
    assert shifted["accuracy"] == 1.0


def test_protocols_take_the_pictures_they_say() -> None:
    votes = np.zeros((4, 10), np.int64)
    votes[0, CROWD_ORDER[3]] = 9
    votes[0, 8] = 1
    votes[1, CROWD_ORDER[4]], votes[1, CROWD_ORDER[6]] = 6, 4
    votes[2, CROWD_ORDER[0]], votes[2, CROWD_ORDER[1]] = 5, 5
    votes[3, NOT_A_FACE] = 10
    pictures = Pictures(
        np.zeros((4, 48, 48), np.uint8), np.array([0, 1, 2, 3]), np.zeros(4, np.int64), votes,
        np.array(["a", "b", "c", "d"]),
    )  # fmt: skip
    assert truth_of(pictures, "fer2013").labels.tolist() == [0, 1, 2, 3]
    assert truth_of(pictures, "majority").labels.tolist() == [3, 4]
    assert truth_of(pictures, "clean").labels.tolist() == [3]
    assert truth_of(pictures, "clean").chosen.tolist() == [True, False, False, False]
