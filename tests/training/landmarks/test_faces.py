from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vision.preprocess import UPRIGHT_SIDE, centred, cut_view, to_view, upright
from training.landmarks.faces import (
    MIRRORED,
    Sample,
    after,
    box_look,
    cut_out,
    five_of_68,
    mirror,
    read_afw,
    render,
    upright_look,
)

POINTS = np.array([[40, 40], [80, 40], [60, 62], [46, 80], [74, 80]], np.float32)


def drawn() -> Sample:
    """A face whose five points are bright dots, each of its own brightness."""
    picture = np.full((120, 120), 20, np.uint8)
    for number, (x, y) in enumerate(POINTS.astype(int)):
        cv2.circle(picture, (int(x), int(y)), 3, 100 + 30 * number, -1)
    return Sample(picture, POINTS, (60.0, 60.0), 80.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("look", [box_look, upright_look])
def test_points_follow_the_picture_in_every_look(seed: int, look: object) -> None:
    view = look(drawn(), np.random.default_rng(seed))  # type: ignore[operator]
    points = to_view(POINTS, view) * 48 - 0.5
    spots = cut_view(drawn().picture, view).astype(int)
    for number, (x, y) in enumerate(points):
        if 1 <= x < 47 and 1 <= y < 47:
            assert spots[round(y), round(x)] == pytest.approx(100 + 30 * number, abs=45)


@pytest.mark.parametrize("seed", range(12))
def test_a_rendered_crop_keeps_its_right_eye_at_the_left_of_the_picture(seed: int) -> None:
    crop, points = render(drawn(), np.random.default_rng(seed))
    assert crop.shape == (48, 48)
    assert crop.dtype == np.uint8
    assert points[0, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]
    assert sorted(MIRRORED) == [0, 1, 2, 3, 4]


def test_a_mirrored_point_lies_where_its_pixel_went() -> None:
    view = centred(60, 60, 0.5, 0.0)
    crop = cut_view(drawn().picture, view)
    x, y = (mirror(to_view(POINTS, view)) * 48 - 0.5)[2]  # the nose stays the nose
    ys, xs = np.nonzero(np.abs(crop[:, ::-1].astype(int) - 160) < 8)
    assert (xs.mean(), ys.mean()) == pytest.approx((x, y), abs=0.3)
    assert mirror(mirror(to_view(POINTS, view))) == pytest.approx(to_view(POINTS, view), abs=1e-6)


def test_the_upright_look_is_the_device_s_but_for_small_errors() -> None:
    true = to_view(POINTS, upright(POINTS, UPRIGHT_SIDE))
    random = np.random.default_rng(0)
    looks = np.array([to_view(POINTS, upright_look(drawn(), random)) for _ in range(200)])
    assert looks.mean(axis=0) == pytest.approx(true, abs=0.02)
    assert 0.02 < looks.std(axis=0).mean() < 0.08


def test_one_map_after_another() -> None:
    first, second = centred(10, 20, 0.5, 0.3), centred(24, 24, 2.0, -0.1)
    point = np.array([7.0, 9.0])
    step = first[:, :2] @ point + first[:, 2]
    both = after(first, second)
    assert both[:, :2] @ point + both[:, 2] == pytest.approx(second[:, :2] @ step + second[:, 2])


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
    assert sample.points == pytest.approx(np.full((5, 2), 60))  # 80, less the corner at 20
    assert sample.side == 60


@pytest.mark.parametrize(
    ("boxes", "marks", "said"),
    [
        ("file,x,y,w,h\na.png,1,1,9,9\n", "", r"1 faces in boxes\.csv, but 0 in landmarks68"),
        ("file,x,y,w,h\na.png,1,1,9,9\n", "1,2\n", "line 1: expected 136 numbers"),
        ("file,x,y,w\na.png,1,1,9\n", "", "line 2: .*: the column h is missing"),
        ("file,x,y,w,h\na.png,1,1,nan,9\n", "", "line 2: .*: w is nan, not a number"),
        ("file,x,y,w,h\na.png,1,1,-9,9\n", "", "line 2: .*: w and h must be above 0"),
        ("file,x,y,w,h\n", None, "landmarks68.csv: cannot read the landmarks: No such file"),
    ],
)
def test_a_damaged_annotation_is_named(
    boxes: str, marks: str | None, said: str, tmp_path: Path
) -> None:
    (tmp_path / "boxes.csv").write_text(boxes)
    if marks is not None:
        (tmp_path / "landmarks68.csv").write_text(marks)
    with pytest.raises(UsageError, match=said):
        read_afw(tmp_path)
