from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from training.landmarks.faces import MIRRORED, Sample
from training.landmarks.teacher import SIDE_PX, SURE, Ask, ask_twice, correct, fit_correction

POINTS = np.array([[40, 40], [80, 40], [60, 62], [46, 80], [74, 80]], np.float32)
BRIGHTNESS = (100, 130, 160, 190, 220)


def drawn(angle_deg: float = 0.0) -> Sample:
    """Five squares, each of its own brightness, turned around the middle."""
    angle = np.radians(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ((POINTS - 60) @ turn.T + 60).astype(np.float32)
    picture = np.zeros((121, 121), np.uint8)
    for (x, y), value in zip(points.round().astype(int), BRIGHTNESS, strict=True):
        picture[y - 4 : y + 5, x - 4 : x + 5] = value
    return Sample(picture, points.round(), (60.0, 60.0), 80.0)


def seeing(logit: float = 5.0, tremble_px: float = 0.0) -> Ask:
    """A teacher that finds the squares by their brightness, and names eyes by their side."""
    random = np.random.default_rng(0)

    def ask(picture: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], float]:
        assert picture.shape == (SIDE_PX, SIDE_PX)
        points = []
        for value in BRIGHTNESS:
            ys, xs = np.nonzero(np.abs(picture - value / 255) < 0.02)
            points.append([np.median(xs) + 0.5, np.median(ys) + 0.5])
        five = np.array(points, np.float32)
        if five[0, 0] > five[1, 0]:  # in a mirror the right eye is the left
            five = five[MIRRORED]
        five += random.normal(0, tremble_px, five.shape).astype(np.float32)
        return five, logit

    return ask


@pytest.mark.parametrize("angle_deg", [0, 20, -20])
def test_answers_come_back_in_the_sample_s_pixels(angle_deg: float) -> None:
    sample = drawn(angle_deg)
    answer = ask_twice(seeing(), sample)
    assert answer.sure
    # to a pixel: the edges of brighter squares have the darker ones' brightness
    assert answer.points == pytest.approx(sample.points, abs=0.8)
    assert (answer.points - sample.points).mean() == pytest.approx(0, abs=0.25)


def test_a_teacher_that_sees_no_face_or_contradicts_itself_is_not_sure() -> None:
    assert not ask_twice(seeing(logit=SURE - 1), drawn()).sure
    assert not ask_twice(seeing(tremble_px=12), drawn()).sure


def shifted(points: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float32]:
    """Where an annotator sets them: the nose a little higher, the mouth narrower."""
    gaps = np.array([[0, 0], [0, 0], [0, -3], [2, 0], [-2, 0]], np.float32)
    return points + gaps * np.float32(scale)


def test_the_correction_learns_what_the_annotation_does_differently() -> None:
    random = np.random.default_rng(0)
    taught, true = [], []
    for _ in range(60):
        scale = float(random.uniform(0.5, 2))
        points = (POINTS + random.normal(0, 1, (5, 2)).astype(np.float32)) * np.float32(scale)
        taught.append(points)
        true.append(shifted(points, scale))
    correction = fit_correction(taught, true)
    assert correction.shape == (11, 10)
    unseen = POINTS * np.float32(1.3)
    before = np.abs(unseen - shifted(unseen, 1.3)).mean()
    after = np.abs(correct(unseen, correction) - shifted(unseen, 1.3)).mean()
    assert after < before / 3
