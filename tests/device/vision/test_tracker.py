from __future__ import annotations

import numpy as np
import pytest

from device.vision.tracker import DetectAndTrack
from device.vocabulary import BoundingBox, Face, GreyImage

FRAME_S = 1 / 15
SIDE = 64


def scene(x: int, y: int = 80) -> GreyImage:
    """A textured square (the face) before a plain, noisy wall."""
    random = np.random.default_rng(1)
    image = random.integers(90, 110, (240, 320), dtype=np.uint8)
    blocks = random.integers(0, 255, (8, 8), dtype=np.uint8)
    image[y : y + SIDE, x : x + SIDE] = np.kron(blocks, np.ones((8, 8), np.uint8))
    return image


class ScriptedDetector:
    """Returns one list of x positions a call; counts the calls."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.sure = True
        self.calls = 0

    def detect(self, image: GreyImage) -> list[Face]:
        self.calls += 1
        boxes = [BoundingBox(x, 80, x + SIDE, 80 + SIDE) for x in self.positions]
        return [Face(box, 0.9, sure=self.sure) for box in boxes]


def tracker_of(detector: ScriptedDetector, interval_s: float = 0.2) -> DetectAndTrack:
    return DetectAndTrack(detector.detect, interval_s, clock=lambda: 0.0)


def test_follows_a_moving_head_between_detections() -> None:
    detector = ScriptedDetector()
    tracker = tracker_of(detector)
    for number in range(30):
        x = 20 + 6 * number  # 90 px a second: more than a face's side
        detector.positions = [x]
        faces = tracker.update(scene(x), number * FRAME_S)
        if number >= 1:
            assert [face.track_id for face in faces] == [1]
            assert faces[0].box.xmin == pytest.approx(x, abs=5)
    assert detector.calls <= 12


def test_a_new_face_is_reported_within_300_ms() -> None:
    detector = ScriptedDetector()
    tracker = tracker_of(detector)
    for number in range(4):
        assert tracker.update(scene(100), number * FRAME_S) == []
    detector.positions = [100]  # right after the detection of frame 3
    for number in range(4, 10):
        if tracker.update(scene(100), number * FRAME_S):
            break
    assert (number - 4) * FRAME_S <= 0.3


def test_a_missed_detection_is_bridged_by_the_face_s_picture() -> None:
    detector = ScriptedDetector()
    detector.positions = [100]
    tracker = tracker_of(detector)
    for number in range(2):
        tracker.update(scene(100), number * FRAME_S)
    detector.positions = []
    for number in range(2, 12):
        faces = tracker.update(scene(100 + number), number * FRAME_S)
        assert [face.track_id for face in faces] == [1]


def test_a_face_that_left_is_not_reported() -> None:
    detector = ScriptedDetector()
    detector.positions = [100]
    tracker = tracker_of(detector)
    for number in range(2):
        tracker.update(scene(100), number * FRAME_S)
    detector.positions = []
    wall = np.random.default_rng(2).integers(90, 110, (240, 320), dtype=np.uint8)
    assert tracker.update(wall, 2 * FRAME_S) == []


def test_a_false_alarm_of_one_frame_is_not_reported() -> None:
    detector = ScriptedDetector()
    tracker = tracker_of(detector)
    detector.positions = [100]
    reported = tracker.update(scene(10), 0.0)
    detector.positions = []
    for number in range(1, 10):
        reported += tracker.update(scene(10), number * FRAME_S)
    assert reported == []


def test_a_brief_false_alarm_of_an_unsure_detector_is_not_reported() -> None:
    detector = ScriptedDetector()
    detector.sure = False
    tracker = tracker_of(detector)
    reported = []
    for number in range(20):
        detector.positions = [100] if number < 6 else []
        reported += tracker.update(scene(100), number * FRAME_S)
    assert reported == []
    assert detector.calls <= 8  # it is not searched for in every frame


def test_a_face_of_which_the_detector_is_not_sure_is_reported_within_1500_ms() -> None:
    detector = ScriptedDetector()
    detector.sure = False
    detector.positions = [100]
    tracker = tracker_of(detector)
    reported = [bool(tracker.update(scene(100), n * FRAME_S)) for n in range(30)]
    assert reported.index(True) * FRAME_S <= 1.5
    assert all(reported[reported.index(True) :])


def test_faces_come_largest_first() -> None:
    class TwoSizes(ScriptedDetector):
        def detect(self, image: GreyImage) -> list[Face]:
            small, large = BoundingBox(5, 5, 25, 25), BoundingBox(100, 80, 164, 144)
            return [Face(small, 0.9), Face(large, 0.9)]

    tracker = tracker_of(TwoSizes())
    tracker.update(scene(100), 0.0)
    faces = tracker.update(scene(100), FRAME_S)
    assert [round(face.box.width) for face in faces] == [64, 20]


def test_a_face_that_is_followed_surely_is_searched_for_half_as_often() -> None:
    detector = ScriptedDetector()
    tracker = tracker_of(detector)
    detector.positions = [100]
    tracked = []
    for number in range(26):
        tracked += [face.tracked for face in tracker.update(scene(100), number * FRAME_S)]
    assert detector.calls == 2 + 24 // 6
    assert tracked.count(False) == detector.calls - 1  # the first one waits for its second


def test_a_face_that_changes_is_searched_for_as_often_as_any() -> None:
    detector = ScriptedDetector()
    tracker = tracker_of(detector)
    detector.positions = [100]
    random = np.random.default_rng(2)
    for number in range(26):
        image = scene(100)
        changing = np.kron(random.integers(0, 255, (3, 8)), np.ones((8, 8)))
        image[80:104, 100 : 100 + SIDE] = changing  # a good third of it
        tracker.update(image, number * FRAME_S)
    assert detector.calls >= 2 + 24 // 3


@pytest.mark.parametrize("slowness", [1.0, 2.0])
def test_a_face_keeps_its_id_on_a_board_that_searches_seldom(slowness: float) -> None:
    detector = ScriptedDetector()
    detector.positions = [100]
    now_s = iter(np.arange(1000) * 0.4)  # a detection costs more than a frame
    tracker = DetectAndTrack(detector.detect, 0.2, clock=lambda: float(next(now_s)))
    tracker.interval.slowness = slowness
    for number in range(int(10 / FRAME_S)):
        faces = tracker.update(scene(100), number * FRAME_S)
        if number > 1:
            assert [face.track_id for face in faces] == [1]


@pytest.mark.parametrize("slowness", [1.0, 2.0])
def test_one_missed_detection_costs_no_id_however_seldom_it_searches(slowness: float) -> None:
    detector = ScriptedDetector()
    now_s = iter(np.arange(1000) * 0.4)
    tracker = DetectAndTrack(detector.detect, 0.2, clock=lambda: float(next(now_s)))
    tracker.interval.slowness = slowness
    for number in range(int(10 / FRAME_S)):
        detector.positions = [] if detector.calls % 3 == 2 else [100]  # one in three finds nothing
        faces = tracker.update(scene(100), number * FRAME_S)
        if number > 1:
            assert [face.track_id for face in faces] == [1]
