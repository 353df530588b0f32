from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.landmarks import MIRRORED, Sample, cut_out, five_of_68, read_afw, render, render_box

POINTS = np.array([[40, 40], [80, 40], [60, 62], [46, 80], [74, 80]], np.float32)


def drawn() -> Sample:
    """A face whose five points are bright dots, each of its own brightness."""
    picture = np.full((120, 120), 20, np.uint8)
    for number, (x, y) in enumerate(POINTS.astype(int)):
        cv2.circle(picture, (int(x), int(y)), 3, 100 + 30 * number, -1)
    return Sample(picture, POINTS, (60.0, 60.0), 80.0)


@pytest.mark.parametrize("seed", range(6))
def test_points_follow_the_picture_however_it_is_rendered(seed: int) -> None:
    crop, points = render(drawn(), np.random.default_rng(seed))
    assert crop.shape == (48, 48)
    assert crop.dtype == np.uint8
    spots = cv2.GaussianBlur(crop.astype(np.float32), (0, 0), 1)
    for x, y in points * 48:
        if 2 <= x < 46 and 2 <= y < 46:
            around = spots[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
            assert around.max() > np.median(spots) + 15


def test_a_mirrored_face_keeps_its_right_eye_at_the_left_of_the_picture() -> None:
    for seed in range(8):
        _, points = render(drawn(), np.random.default_rng(seed))
        assert points[0, 0] < points[1, 0]
        assert points[3, 0] < points[4, 0]
    assert sorted(MIRRORED) == [0, 1, 2, 3, 4]


def test_without_augmentation_only_the_box_differs() -> None:
    crop, points = render_box(drawn(), np.random.default_rng(0))
    again, same = render_box(drawn(), np.random.default_rng(0))
    assert np.array_equal(crop, again)
    assert np.array_equal(points, same)
    tilt = points[1, 1] - points[0, 1]
    assert tilt == pytest.approx(0, abs=1e-4)


def test_large_faces_are_cut_out_smaller_with_their_points() -> None:
    large = Sample(np.zeros((600, 600), np.uint8), POINTS * 5, (300.0, 300.0), 400.0)
    small = cut_out(large)
    assert small.picture.shape == (128, 128)
    assert small.side == pytest.approx(64)
    expected = (POINTS * 5 - (300 - 400)) * 64 / 400
    assert small.points == pytest.approx(expected, abs=0.01)


def test_five_points_of_68_are_the_vocabulary_s() -> None:
    marks = np.zeros((68, 2), np.float32)
    marks[36:42] = [1, 10]  # the subject's right eye, at the left of the picture
    marks[42:48] = [2, 10]
    marks[30], marks[48], marks[54] = [3, 3], [4, 4], [5, 5]
    assert five_of_68(marks).tolist() == [[1, 10], [2, 10], [3, 3], [4, 4], [5, 5]]


def test_reads_boxes_and_landmarks_row_by_row(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((200, 200), np.uint8))
    (tmp_path / "boxes.csv").write_text("file,x,y,w,h\nimages/a.png,50,50,60,60\n")
    marks = np.full((68, 2), 80.0)
    (tmp_path / "landmarks68.csv").write_text(",".join(map(str, marks.ravel())) + "\n")
    [(name, sample)] = read_afw(tmp_path)
    assert name == "a.png"
    assert sample.points == pytest.approx(np.full((5, 2), 60))  # 80 less the corner at 20
    assert sample.side == 60
