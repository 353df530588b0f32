from __future__ import annotations

import itertools

import pytest

from device.vision.tracker import MAX_INTERVAL_S, DetectionInterval


def detections(
    interval: DetectionInterval,
    frame_rate_hz: float,
    cost_s: float,
    frames: int = 60,
    sure: bool = False,
) -> list[int]:
    found = []
    for number in range(frames):
        now_s = 5.0 + number / frame_rate_hz
        if interval.due(now_s, unconfirmed=False, sure=sure):
            found.append(number)
            interval.detected(now_s, cost_s)
    return found


def test_detects_every_third_frame_at_15_a_second() -> None:
    assert detections(DetectionInterval(0.2), 15, cost_s=0.01)[:4] == [0, 3, 6, 9]


def test_detects_every_frame_of_a_slow_camera() -> None:
    assert detections(DetectionInterval(0.2), 4, cost_s=0.01)[:4] == [0, 1, 2, 3]


def test_an_interval_of_nothing_detects_every_frame() -> None:
    assert detections(DetectionInterval(0.0), 30, cost_s=0.001)[:3] == [0, 1, 2]


def test_detects_more_rarely_on_a_busy_board_but_within_the_limit() -> None:
    interval = DetectionInterval(0.1)
    found = detections(interval, 30, cost_s=0.075)
    assert interval.interval_s == pytest.approx(0.25)
    gaps = [b - a for a, b in itertools.pairwise(found)]
    assert set(gaps) <= {7, 8}
    overloaded = DetectionInterval(0.1)
    detections(overloaded, 30, cost_s=10)
    assert overloaded.interval_s == MAX_INTERVAL_S


def test_an_unconfirmed_face_is_looked_for_at_once() -> None:
    interval = DetectionInterval(0.2)
    assert interval.due(0.0, unconfirmed=False)
    interval.detected(0.0, 0.01)
    assert interval.due(0.033, unconfirmed=True)


def test_a_clock_that_starts_again_does_not_stop_detection() -> None:
    interval = DetectionInterval(0.2)
    interval.detected(100.0, 0.01)
    assert interval.due(0.0, unconfirmed=False)


def test_faces_that_are_followed_surely_are_searched_for_half_as_often() -> None:
    assert detections(DetectionInterval(0.2), 15, cost_s=0.01, sure=True)[:3] == [0, 6, 12]


def test_a_slow_board_detects_more_rarely() -> None:
    interval = DetectionInterval(0.2)
    interval.slowness = 2.0
    assert detections(interval, 15, cost_s=0.01)[:3] == [0, 6, 12]
