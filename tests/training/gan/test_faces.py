from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera import demo
from device.vision.preprocess import crop_face
from device.vocabulary import BoundingBox, Face
from training.data.fer2013 import Pictures, Split, no_votes
from training.gan.faces import (
    EVENNESS,
    BalancedFaces,
    Faces,
    RandomFaces,
    VotedFaces,
    clear_faces_of,
    cut_by_landmarks,
    find_clear,
    voted_faces_of,
    without_hidden,
)
from training.gan.measures import structural_similarity
from training.gan.sheets import one_of_each

ANGRY, DISGUST, FEAR, HAPPY = 0, 1, 2, 3


def shares(*rows: dict[int, float]) -> np.ndarray:
    table = np.zeros((len(rows), 7))
    for row, votes in zip(table, rows, strict=True):
        for expression, share in votes.items():
            row[expression] = share
    return table


def test_a_face_is_clear_when_the_votes_agree_whatever_fer2013_says() -> None:
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


def test_pictures_nobody_voted_on_are_learned_by_their_labels() -> None:
    pixels = np.zeros((2, 48, 48), np.uint8)
    labels = np.array([ANGRY, DISGUST])
    pictures = Pictures(pixels, labels, np.zeros(2, int), no_votes(2), np.array(["a", "b"]))
    assert clear_faces_of(pictures).expressions.tolist() == labels.tolist()
    np.testing.assert_array_equal(voted_faces_of(pictures).shares.argmax(axis=1), labels)


@pytest.mark.fer2013
def test_frightened_people_behind_their_hands_are_left_out(fer2013_pictures: Pictures) -> None:
    training = fer2013_pictures.split(Split.TRAIN)
    shown = without_hidden(training)
    left_out = np.setdiff1d(training.names, shown.names)
    assert len(left_out) >= 429  # those listed, and exact copies of them
    assert {"row 21", "row 300"} <= set(left_out.tolist())
    assert len(left_out) < 600
    labels = training.labels[np.isin(training.names, left_out)]
    assert (labels == FEAR).mean() > 0.9


def test_every_face_with_votes_is_the_guide_s_and_every_batch_the_same_again() -> None:
    votes = no_votes(4)
    votes[1, 1], votes[2, [0, 4]], votes[3, 9] = 10, (6, 2), 10  # happy, neutral or angry, no face
    pixels = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    zeros = np.zeros(4, np.int64)
    voted = voted_faces_of(Pictures(pixels, zeros, zeros, votes, np.array(list("abcd"))))
    assert voted.pixels[:, 0, 0, 0].tolist() == [1, 2]
    assert voted.shares.tolist() == [[0, 0, 0, 1, 0, 0, 0], [0.25, 0, 0, 0, 0, 0, 0.75]]
    batches = RandomFaces(voted, 5, 3, seed=1)
    assert len(batches) == 3
    for one, again in zip(batches[1], RandomFaces(voted, 5, 3, seed=1)[1], strict=True):
        np.testing.assert_array_equal(one, again)
    assert batches[0][0].tobytes() != batches[2][0].tobytes()


def test_the_guide_sees_rare_expressions_oftener_than_they_are_shown() -> None:
    shares = np.eye(7, dtype=np.float32)[[HAPPY] * 990 + [DISGUST] * 10]
    voted = VotedFaces(np.zeros((1000, 48, 48, 1), np.uint8), shares)
    _, seen = RandomFaces(voted, 4000, 1, seed=2)[0]
    rare, common = 0.01**EVENNESS, 0.99**EVENNESS
    assert seen[:, DISGUST].mean() == pytest.approx(rare / (rare + common), abs=0.03)


def test_tilted_shifted_and_smaller_faces_become_the_same_crop() -> None:
    portrait = cv2.imread(str(Path(demo.__file__).parent / "astronaut.jpg"), cv2.IMREAD_GRAYSCALE)
    pictures = []
    for turn_deg, scale in ((0, 1.0), (12, 1.0), (-12, 0.9), (0, 0.85)):
        matrix = cv2.getRotationMatrix2D((225, 115), turn_deg, scale)
        turned = cv2.warpAffine(portrait, matrix, portrait.shape[::-1])
        box = BoundingBox(170 + turn_deg / 4, 60, 280 + turn_deg / 4, 170)
        pictures.append(crop_face(turned, Face(box, 1.0)))
    crops = cut_by_landmarks(np.stack(pictures))
    assert crops.shape == (4, 48, 48)
    assert crops.dtype == np.uint8
    first = np.repeat(crops[:1], 3, axis=0)
    inner = np.s_[:, 8:40, 8:40]
    assert structural_similarity(first[inner], crops[1:][inner]).min() > 0.6
    before = np.stack(pictures)[1:][inner]
    assert structural_similarity(first[inner], before).mean() < 0.5


def test_the_sheet_shows_the_expressions_that_there_are() -> None:
    assert one_of_each(np.array([3, 3, 0, 6], np.int32), rows=4).tolist() == [2, 0, 3, 2]


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
