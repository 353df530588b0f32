from __future__ import annotations

import numpy as np
import pytest

from device.vision.resting_face import RestingFace
from device.vocabulary import EXPRESSIONS, Expression, Probabilities

FRAME_S = 1 / 15


def answer(**logits: float) -> Probabilities:
    """Softmax of 0 for each expression but those named."""
    values = np.array([logits.get(expression.value, 0.0) for expression in EXPRESSIONS])
    powers = np.exp(values)
    return (powers / powers.sum()).astype(np.float32)


NEUTRAL = answer(neutral=4)
SAD_REST = answer(sad=4, neutral=2.5)  # a face that looks sad at rest
SMILE = answer(happy=5, neutral=1)


def see(
    rest: RestingFace, probabilities: Probabilities, lasts_s: float, step_s: float = FRAME_S
) -> None:
    for _ in range(round(lasts_s / step_s)):
        rest.observe(probabilities, step_s)


def named(rest: RestingFace, probabilities: Probabilities) -> Expression:
    return EXPRESSIONS[int(np.argmax(rest.relative(probabilities)))]


def test_before_anything_is_known_the_answer_is_the_models() -> None:
    rest = RestingFace()
    assert rest.known == 0
    np.testing.assert_allclose(rest.relative(SMILE), SMILE, atol=1e-6)


def test_a_neutral_face_is_known_after_a_few_seconds_and_stays_neutral() -> None:
    rest = RestingFace()
    see(rest, NEUTRAL, 3)
    assert rest.known > 0.9
    assert named(rest, NEUTRAL) is Expression.NEUTRAL


def test_a_face_that_looks_sad_at_rest_is_called_neutral_once_it_is_known() -> None:
    rest = RestingFace()
    assert named(rest, SAD_REST) is Expression.SAD
    see(rest, SAD_REST, 40)
    assert named(rest, SAD_REST) is Expression.NEUTRAL
    assert named(rest, answer(happy=4, neutral=1)) is Expression.HAPPY


def test_a_small_anger_is_named_relative_to_the_rest() -> None:
    frown = answer(neutral=2, angry=1.8)
    rest = RestingFace()
    assert named(rest, frown) is Expression.NEUTRAL
    see(rest, NEUTRAL, 5)
    assert named(rest, frown) is Expression.ANGRY


def test_what_rises_a_little_is_still_the_rest() -> None:
    rest = RestingFace()
    see(rest, NEUTRAL, 5)
    assert named(rest, answer(neutral=4, angry=1)) is Expression.NEUTRAL


@pytest.mark.parametrize("at_rest_s", [0, 5])
@pytest.mark.parametrize("smile", [SMILE, answer(happy=2.5, neutral=2)])
def test_who_smiles_for_ten_minutes_is_still_called_happy(
    smile: Probabilities, at_rest_s: float
) -> None:
    rest = RestingFace()
    see(rest, NEUTRAL, at_rest_s)
    see(rest, smile, 600)
    assert named(rest, smile) is Expression.HAPPY


def test_a_frown_held_for_long_is_not_the_rest() -> None:
    frown = answer(angry=4, neutral=1)
    rest = RestingFace()
    see(rest, NEUTRAL, 10)
    see(rest, frown, 600)
    assert named(rest, frown) is Expression.ANGRY


def test_the_first_expression_is_corrected_by_the_rest_that_follows() -> None:
    rest = RestingFace()
    see(rest, answer(sad=2, neutral=1.5), 3)
    see(rest, NEUTRAL, 5)
    assert named(rest, answer(sad=2.5, neutral=1.5)) is Expression.SAD
    assert named(rest, NEUTRAL) is Expression.NEUTRAL


@pytest.mark.parametrize("step_s", [1 / 30, 1 / 3])
def test_the_rate_of_the_answers_does_not_matter(step_s: float) -> None:
    rest, reference = RestingFace(), RestingFace()
    for face, lasts_s in ((SAD_REST, 4), (NEUTRAL, 2), (SMILE, 4), (SAD_REST, 2)):
        see(rest, face, lasts_s, step_s)
        see(reference, face, lasts_s, 1 / 15)
    assert rest.known == pytest.approx(reference.known, abs=0.02)
    np.testing.assert_allclose(rest.relative(SAD_REST), reference.relative(SAD_REST), atol=0.03)


def test_a_long_gap_counts_no_more_than_half_a_second() -> None:
    rest, reference = RestingFace(), RestingFace()
    rest.observe(NEUTRAL, 1000.0)
    reference.observe(NEUTRAL, 0.5)
    assert rest.known == reference.known


def test_a_rest_that_is_never_seen_again_is_believed_less_and_less() -> None:
    rest = RestingFace()
    see(rest, NEUTRAL, 5)
    see(rest, SMILE, 600)
    assert rest.known < 0.2


@pytest.mark.parametrize("face", [SAD_REST, answer(fear=5), answer(happy=3)])
def test_calibrated_whatever_is_shown_is_the_rest_and_stays_it(face: Probabilities) -> None:
    rest = RestingFace()
    see(rest, NEUTRAL, 30)
    rest.calibrate()
    assert rest.known == 0
    see(rest, face, 2.1)
    assert rest.known > 0.99
    assert named(rest, face) is Expression.NEUTRAL
    see(rest, face, 600)
    assert named(rest, face) is Expression.NEUTRAL


def test_extreme_answers_stay_numbers() -> None:
    rest = RestingFace()
    certain = np.zeros(7, np.float32)
    certain[6] = 1
    see(rest, certain, 5)
    other = np.zeros(7, np.float32)
    other[0] = 1
    result = rest.relative(other)
    assert np.isfinite(result).all()
    assert result.sum() == pytest.approx(1, abs=1e-5)
    assert result.dtype == np.float32
