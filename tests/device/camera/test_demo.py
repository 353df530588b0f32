from __future__ import annotations

import itertools

import cv2
import numpy as np

from device.camera import demo
from device.camera.demo import AWAY_FROM_S, AWAY_TO_S, DemoSource, Renderer, pose_at
from device.camera.source import Pace
from device.settings.tree import Camera as CameraSettings


def num_faces(at_s: float) -> int:
    cascade = cv2.CascadeClassifier(
        cv2.data.haarcascades + "haarcascade_frontalface_default.xml"  # type: ignore[attr-defined]
    )
    view = Renderer(640, 480).draw(pose_at(at_s))
    return len(cascade.detectMultiScale(view, 1.1, 5, minSize=(100, 100)))


def test_the_face_is_there_at_the_start_leaves_and_comes_back() -> None:
    assert num_faces(0.0) == 1
    assert num_faces((AWAY_FROM_S + AWAY_TO_S) / 2) == 0
    assert num_faces(AWAY_TO_S + 1.0) == 1


def test_frames_are_grey_of_the_asked_size_and_stamped_at_the_rate() -> None:
    first, second = itertools.islice(demo.frames(320, 240, rate_hz=10), 2)
    assert first.image.shape == (240, 320)
    assert (first.captured_at_s, second.captured_at_s) == (0.0, 0.1)
    assert not np.array_equal(first.image, second.image)


def test_color_frames_are_rgb() -> None:
    frame = next(demo.frames(320, 240, color=True))
    assert frame.image.shape == (240, 320, 3)
    red, _, blue = frame.image[100:140, 150:190].mean(axis=(0, 1))
    assert red > blue + 20  # skin


def test_the_same_seed_gives_the_same_frames() -> None:
    def third(seed: int) -> np.ndarray:
        return next(itertools.islice(demo.frames(160, 120, seed=seed), 2, None)).image

    assert np.array_equal(third(1), third(1))
    assert not np.array_equal(third(1), third(2))


def test_the_movement_is_smooth() -> None:
    for tick in range(15 * 40):
        before, after = pose_at(tick / 15), pose_at((tick + 1) / 15)
        assert abs(after.x - before.x) + abs(after.y - before.y) < 50
        assert abs(after.gain - before.gain) < 0.02


def test_the_source_plays_at_the_set_pace() -> None:
    slept: list[float] = []
    now_s = 0.0
    pace = Pace(20, clock=lambda: now_s, sleep=slept.append)
    source = DemoSource(CameraSettings(frame_rate_hz=20), pace=pace)
    source.open()
    assert source.read() is not None
    assert source.read() is not None
    assert slept == [0.05]
