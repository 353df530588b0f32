import numpy as np
import pytest

from device.errors import UsageError
from training.fer2013 import Pictures, no_votes
from training.gan.faces import BalancedFaces, Faces, clear_faces_of, find_clear

ANGRY, DISGUST, HAPPY = 0, 1, 3


def shares(*rows: dict[int, float]) -> np.ndarray:
    table = np.zeros((len(rows), 7))
    for row, votes in zip(table, rows, strict=True):
        for expression, share in votes.items():
            row[expression] = share
    return table


def test_a_face_is_clear_when_the_crowd_agrees_whatever_fer2013_says() -> None:
    table = shares({HAPPY: 0.6}, {HAPPY: 0.5, ANGRY: 0.4}, {ANGRY: 0.9})
    positions, expressions = find_clear(np.array([ANGRY, HAPPY, ANGRY]), table, 0.6, 0)
    assert positions.tolist() == [0, 2]
    assert expressions.tolist() == [HAPPY, ANGRY]


def test_a_rare_class_is_topped_up_by_falling_share() -> None:
    table = shares({DISGUST: 0.2}, {DISGUST: 0.7}, {DISGUST: 0.4}, {DISGUST: 0.5}, {ANGRY: 0.9})
    labels = np.array([DISGUST, DISGUST, DISGUST, ANGRY, DISGUST])
    positions, expressions = find_clear(labels, table, 0.6, 2)
    chosen = dict(zip(positions.tolist(), expressions.tolist(), strict=True))
    assert chosen == {1: DISGUST, 2: DISGUST, 4: ANGRY}


def test_a_clear_face_is_not_taken_for_another_class() -> None:
    table = shares({ANGRY: 0.7, DISGUST: 0.3})
    positions, expressions = find_clear(np.array([DISGUST]), table, 0.6, 5)
    assert (positions.tolist(), expressions.tolist()) == ([0], [ANGRY])


def test_pictures_nobody_voted_on_are_refused() -> None:
    pixels = np.zeros((2, 48, 48), np.uint8)
    labels = np.zeros(2, np.int64)
    pictures = Pictures(pixels, labels, labels, no_votes(2), np.array(["a", "b"]))
    with pytest.raises(UsageError, match="name --votes"):
        clear_faces_of(pictures)


@pytest.fixture
def faces() -> Faces:
    expressions = np.repeat(np.arange(7), [50, 1, 3, 90, 20, 20, 60]).astype(np.int32)
    pixels = np.arange(len(expressions), dtype=np.uint8)[:, None, None, None]
    return Faces(np.broadcast_to(pixels, (len(expressions), 48, 48, 1)), expressions)


def test_every_expression_is_source_and_target_equally_often(faces: Faces) -> None:
    batches = BalancedFaces(faces, 14, 0, 6, seed=3)
    for index in range(len(batches)):
        pixels, sources, targets = batches[index]
        assert np.bincount(sources, minlength=7).tolist() == [2] * 7
        assert np.bincount(targets, minlength=7).tolist() == [2] * 7
        np.testing.assert_array_equal(faces.expressions[pixels[:, 0, 0, 0]], sources)


def test_a_resumed_training_gets_the_batches_it_would_have_got(faces: Faces) -> None:
    whole, rest = BalancedFaces(faces, 10, 0, 6, seed=3), BalancedFaces(faces, 10, 4, 2, seed=3)
    for ours, theirs in zip(rest[0], whole[4], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(whole[0][1], BalancedFaces(faces, 10, 0, 6, seed=4)[0][1])


def test_an_expression_without_faces_is_said() -> None:
    faces = Faces(np.zeros((2, 48, 48, 1), np.uint8), np.array([0, 3], np.int32))
    with pytest.raises(ValueError, match="no face shows disgust, fear, sad, surprise, neutral"):
        BalancedFaces(faces, 7, 0, 1, seed=1)
