from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from device.vision.interval_classifier import (
    FORGOTTEN_S,
    MAX_A_FRAME,
    STEADY_S,
    IntervalClassifier,
)
from device.vocabulary import BoundingBox, Classification, Expression, Face

FRAME_S = 1 / 15
RANDOM = np.random.default_rng(0)
CROP, OTHER = (
    cv2.resize(RANDOM.integers(40, 200, (7, 7)).astype(np.uint8), (48, 48)) for _ in range(2)
)


class Model:
    """Says of every face what it is told to, and remembers whom it was shown."""

    def __init__(self, index: int = 3, probability: float = 0.9) -> None:
        self.shown: list[int | None] = []
        self.say(index, probability)

    def say(self, index: int, probability: float = 0.9) -> None:
        self.answer = np.full(7, (1 - probability) / 6, np.float32)
        self.answer[index] = probability

    def classify(self, faces: Sequence[Face]) -> list[Classification]:
        self.shown += [face.track_id for face in faces]
        return [Classification(face, self.answer) for face in faces]


def face(track_id: int | None = 1, crop: np.ndarray = CROP, reason: str | None = None) -> Face:
    return Face(BoundingBox(0, 0, 100, 100), 1.0, track_id, rejection_reason=reason, crop=crop)


def watch(
    classifier: IntervalClassifier, faces: Sequence[Face], frames: int, first: int = 0
) -> list[list[bool]]:
    """Which answers were new, frame by frame."""
    return [
        [a.is_new for a in classifier.classify(faces, number * FRAME_S)]
        for number in range(first, first + frames)
    ]


def test_a_new_face_is_classified_at_once_and_until_it_is_steady() -> None:
    classifier = IntervalClassifier(Model().classify, 0.25)
    new = [frame[0] for frame in watch(classifier, [face()], 30)]
    until_steady = round(STEADY_S / FRAME_S) + 1
    assert new[:until_steady] == [True] * until_steady
    assert sum(new[until_steady:]) == pytest.approx((30 - until_steady) / 4, abs=1)


def test_between_two_answers_the_last_one_stands_for_the_face_as_it_is_now() -> None:
    model = Model()
    classifier = IntervalClassifier(model.classify, 0.25)
    watch(classifier, [face()], 15)
    now = face()
    [answer] = classifier.classify([now], 15 * FRAME_S)
    assert not answer.is_new
    assert answer.face is now
    assert answer.expression is Expression.HAPPY


def test_a_crop_that_changed_is_classified_at_once() -> None:
    classifier = IntervalClassifier(Model().classify, 2.0)
    assert watch(classifier, [face()], 16)[-1] == [False]
    assert watch(classifier, [face(crop=OTHER)], 1, first=16) == [[True]]


def test_noise_light_and_a_trembling_box_are_no_change() -> None:
    classifier = IntervalClassifier(Model().classify, 2.0)
    watch(classifier, [face()], 16)
    noise = np.random.default_rng(1).normal(0, 4, CROP.shape)
    moved = np.roll(CROP, (1, -1), (0, 1)) * 1.15 + noise
    crop = np.clip(moved, 0, 255).astype(np.uint8)
    assert watch(classifier, [face(crop=crop)], 1, first=16) == [[False]]


def test_an_unclear_face_is_classified_in_every_frame() -> None:
    classifier = IntervalClassifier(Model(probability=0.5).classify, 0.25)
    assert watch(classifier, [face()], 30) == [[True]] * 30


def test_after_another_expression_it_is_watched_closely_again() -> None:
    model = Model()
    classifier = IntervalClassifier(model.classify, 0.25)
    watch(classifier, [face()], 20)
    model.say(4)
    new = [frame[0] for frame in watch(classifier, [face()], 12, first=20)]
    assert new.index(True) <= 4
    assert all(new[new.index(True) :][:8])


def test_many_faces_take_turns_within_the_budget() -> None:
    model = Model()
    classifier = IntervalClassifier(model.classify, 0.25)
    faces = [face(track_id) for track_id in range(1, 9)]
    assert watch(classifier, faces, 1) == [[True] * 8]  # new: at once, all of them
    model.shown.clear()
    frames = watch(classifier, faces, 40, first=1)
    assert all(sum(frame) <= MAX_A_FRAME for frame in frames)
    shares = [model.shown.count(track_id) for track_id in range(1, 9)]
    assert min(shares) >= max(shares) - 1


def test_a_restless_face_does_not_keep_the_others_waiting_for_good() -> None:
    model = Model()
    classifier = IntervalClassifier(model.classify, 0.25)
    faces = [face(track_id) for track_id in range(1, 7)]
    watch(classifier, faces, 60)
    model.shown.clear()
    for number in range(60, 90):
        restless = [face(1, OTHER if number % 2 else CROP), *faces[1:]]
        classifier.classify(restless, number * FRAME_S)
    shares = [model.shown.count(track_id) for track_id in range(1, 7)]
    assert shares[0] > max(shares[1:])
    assert min(shares[1:]) >= 5


def test_a_rejected_face_is_new_once_it_is_good_again() -> None:
    classifier = IntervalClassifier(Model().classify, 2.0)
    watch(classifier, [face()], 20)
    watch(classifier, [face(reason="blurred")], 1, first=20)
    assert watch(classifier, [face()], 1, first=21) == [[True]]


@pytest.mark.parametrize("slowness", [1.0, 4.0])
def test_after_a_pause_that_the_tracks_outlived_every_face_is_new(slowness: float) -> None:
    model = Model()
    classifier = IntervalClassifier(model.classify, 0.25, lambda: slowness)
    faces = [face(number) for number in (1, 2, 3)]
    watch(classifier, faces, 30)
    model.shown.clear()
    later = classifier.classify(faces, 30 * FRAME_S + FORGOTTEN_S + 0.5)
    assert [answer.face.track_id for answer in later] == model.shown == [1, 2, 3]


def test_without_an_interval_every_face_is_classified_in_every_frame() -> None:
    classifier = IntervalClassifier(Model().classify, 0.0)
    assert watch(classifier, [face(1), face(2), face(3)], 20) == [[True] * 3] * 20


def test_a_face_that_is_not_tracked_is_always_classified() -> None:
    classifier = IntervalClassifier(Model().classify, 2.0)
    assert watch(classifier, [face(None)], 20) == [[True]] * 20


def test_on_a_slow_board_the_interval_grows_and_the_budget_shrinks() -> None:
    model = Model()
    slowness = [1.0]
    classifier = IntervalClassifier(model.classify, 0.25, lambda: slowness[0])
    faces = [face(track_id) for track_id in range(1, 5)]
    watch(classifier, faces, 60)
    slowness[0] = 2.0
    frames = watch(classifier, faces, 40, first=60)
    assert all(sum(frame) <= 1 for frame in frames)
    assert sum(map(sum, frames)) == pytest.approx(4 * 40 / 8, abs=3)
