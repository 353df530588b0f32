from __future__ import annotations

import numpy as np
import pytest

from device.vision.nms import (
    intersections_over_unions,
    merge_overlapping,
    without_inner,
    without_nested,
)
from device.vocabulary import BoundingBox, Face

BOXES = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32)


def test_overlapping_answers_become_one_weighted_by_score() -> None:
    scores = np.array([0.9, 0.3, 0.5], np.float32)
    merged = merge_overlapping(BOXES, scores, 0.3)
    assert [m.score for m in merged] == pytest.approx([0.9, 0.5])
    assert merged[0].box == pytest.approx([0.5, 0, 10.5, 10])
    assert list(merged[0].members) == [0, 1]


def test_nothing_gives_nothing() -> None:
    empty = merge_overlapping(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.3)
    assert empty == []


def test_boxes_without_area_do_not_loop_for_ever() -> None:
    flat = np.zeros((3, 4), np.float32)
    assert len(merge_overlapping(flat, np.ones(3, np.float32), 0.3)) == 3


def test_overlap_is_that_of_the_vocabulary() -> None:
    overlaps = intersections_over_unions(BOXES[0], BOXES)
    assert overlaps == pytest.approx([1, 80 / 120, 0])


def test_a_face_within_a_face_is_dropped_when_less_certain() -> None:
    face = Face(BoundingBox(0, 0, 100, 100), 0.9)
    eye = Face(BoundingBox(10, 20, 50, 60), 0.6)
    neighbour = Face(BoundingBox(90, 0, 190, 100), 0.5)
    assert without_nested([eye, face, neighbour]) == [face, neighbour]
    sure_eye = Face(BoundingBox(10, 20, 50, 60), 0.95)
    assert without_nested([face, sure_eye]) == [sure_eye]


def test_what_lies_in_a_larger_face_is_dropped_however_certain() -> None:
    face = Face(BoundingBox(0, 0, 100, 100), 0.6)
    mouth = Face(BoundingBox(30, 60, 70, 100), 0.9)
    behind = Face(BoundingBox(70, 50, 120, 100), 0.7)  # 60 % of it: a head behind a shoulder
    assert without_inner([mouth, behind, face]) == [face, behind]
    assert without_inner([]) == []
