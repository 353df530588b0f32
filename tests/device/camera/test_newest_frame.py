from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from device.camera.newest_frame import HANG_AFTER_S, NewestFrameCamera, fit, orient
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image

CORNERS = np.array([[1, 2], [3, 4]], np.uint8)
TIMEOUT_S = 30.0  # only ever reached by a failing test


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread has said is read once it has ended, however busy the machine is."""
    monkeypatch.setattr("device.camera.newest_frame.CLOSE_WAIT_S", TIMEOUT_S)


def picture(level: int, height: int = 480, width: int = 640) -> Image:
    return np.full((height, width), level, np.uint8)


class ScriptedSource:
    """Does what it is told, in order: an image, None for the end, or an exception to raise."""

    name = "fake"

    def __init__(self, *script: Image | Exception | None, is_live: bool = True) -> None:
        self.is_live = is_live
        self.script: queue.Queue[Image | Exception | None] = queue.Queue()
        for step in script:
            self.script.put(step)
        self.opens: list[Exception | None] = []  # what the next open() calls do
        self.num_opened = self.num_closed = 0
        self.read_again = threading.Semaphore(0)  # released each time read() is entered

    def open(self) -> None:
        self.num_opened += 1
        error = self.opens.pop(0) if self.opens else None
        if error:
            raise error

    def read(self) -> Image | None:
        self.read_again.release()
        step = self.script.get(timeout=TIMEOUT_S)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.num_closed += 1


@contextmanager
def running(source: ScriptedSource, **settings: float | bool) -> Iterator[NewestFrameCamera]:
    camera = NewestFrameCamera(source, CameraSettings(**settings), wait_s=0.01)  # type: ignore[arg-type]
    try:
        yield camera.start()
    finally:
        source.script.put(None)
        camera.close()


def wait_for_reads(source: ScriptedSource, number: int) -> None:
    for _ in range(number):
        assert source.read_again.acquire(timeout=TIMEOUT_S)


def next_image(camera: NewestFrameCamera) -> Image:
    for frame in camera.frames():
        if frame is not None:
            return frame.image
    raise AssertionError("the source ended")


def test_a_slow_reader_gets_the_newest_frame_and_the_rest_is_counted() -> None:
    source = ScriptedSource(picture(1), picture(2), picture(3))
    with running(source) as camera:
        wait_for_reads(source, 4)  # the fourth read begins when the third frame is in the slot
        assert next_image(camera)[0, 0] == 3
        assert camera.dropped == 2


def test_none_comes_while_there_is_no_frame() -> None:
    with running(ScriptedSource()) as camera:
        assert next(camera.frames()) is None
        assert camera.problem is None  # not yet: it is still opening


def test_a_replay_ends_after_its_last_frame() -> None:
    source = ScriptedSource(picture(7), None, is_live=False)
    with running(source) as camera:
        images = [frame.image[0, 0] for frame in camera.frames() if frame is not None]
    assert images == [7]
    assert source.num_closed == 1


def test_a_replay_that_cannot_be_read_is_an_error_at_once() -> None:
    source = ScriptedSource(is_live=False)
    source.opens = [CameraError("x.png: not a picture")]
    with running(source) as camera, pytest.raises(CameraError, match=r"x\.png: not a picture"):
        list(camera.frames())


def test_a_lost_camera_is_opened_again_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source = ScriptedSource(picture(1), CameraError("unplugged"), picture(2))
    with running(source) as camera:
        assert next_image(camera)[0, 0] == 1
        for frame in camera.frames():
            if frame is not None:
                break
            assert camera.problem in (None, "unplugged")
        assert frame is not None
        assert frame.image[0, 0] == 2
        assert camera.problem is None
        assert source.num_opened == 2
        assert source.num_closed >= 1
    told = [record.getMessage() for record in caplog.records]
    assert told == ["camera lost: unplugged", "camera back: fake"]


def test_what_a_driver_raises_is_a_problem_not_a_crash() -> None:
    source = ScriptedSource(RuntimeError("no buffers"), picture(5))
    with running(source) as camera:
        assert next_image(camera)[0, 0] == 5


def test_gives_up_when_the_camera_stays_away() -> None:
    now_s = [0.0]
    source = ScriptedSource()
    source.opens = [CameraError("no camera found")] * 100
    settings = CameraSettings(give_up_after_s=60)
    camera = NewestFrameCamera(source, settings, clock=lambda: now_s[0], wait_s=0.01)
    try:
        for frame in camera.frames():
            assert frame is None
            if camera.problem:
                break
        now_s[0] = 61.0
        with pytest.raises(CameraError, match="no camera found; gave up after 60 s"):
            list(camera.frames())
    finally:
        camera.close()


def test_never_gives_up_when_told_so() -> None:
    now_s = [0.0]
    with running(ScriptedSource(), give_up_after_s=0.0) as running_camera:
        running_camera._clock = lambda: now_s[0]
        now_s[0] = 1e6
        assert next(running_camera.frames()) is None


def test_a_silent_camera_is_a_problem_and_a_hanging_driver_is_not_responsive() -> None:
    now_s = [0.0]
    source = ScriptedSource()
    camera = NewestFrameCamera(
        source, CameraSettings(stale_after_s=5), clock=lambda: now_s[0], wait_s=0.01
    ).start()
    try:
        wait_for_reads(source, 1)  # it hangs in this read
        now_s[0] = 5.5
        assert camera.problem == "fake: no picture for 5 s"
        assert camera.responsive
        now_s[0] = 5 + HANG_AFTER_S + 1
        assert not camera.responsive
    finally:
        source.script.put(None)
        camera.close()


def test_frames_are_turned_mirrored_and_fitted() -> None:
    image = picture(0, 960, 1280)
    image[:, :640] = 200  # bright on the left
    source = ScriptedSource(image)
    with running(source, rotate_deg=90, mirror=True) as camera:
        seen = next_image(camera)
    assert seen.shape == (640, 480)
    assert seen[0].mean() == pytest.approx(200, abs=1)  # left became top


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 5000), (3000, 4000, 3), (2, 640)])
def test_pictures_of_any_size_fit_into_the_working_size(shape: tuple[int, ...]) -> None:
    source = ScriptedSource(picture(1), np.zeros(shape, np.uint8))
    with running(source) as camera:
        wait_for_reads(source, 3)
        height, width = next_image(camera).shape[:2]
    assert 1 <= height <= 480
    assert 1 <= width <= 640


def test_a_driver_that_fails_to_close_is_opened_again_all_the_same() -> None:
    class Stubborn(ScriptedSource):
        def close(self) -> None:
            super().close()
            raise RuntimeError("cannot close")

    source = Stubborn(CameraError("unplugged"), picture(9))
    with running(source) as camera:
        assert next_image(camera)[0, 0] == 9


def test_close_before_start_is_harmless() -> None:
    NewestFrameCamera(ScriptedSource(), CameraSettings()).close()


@pytest.mark.parametrize(
    ("rotate_deg", "mirror", "expected"),
    [
        (0, False, [[1, 2], [3, 4]]),
        (90, False, [[3, 1], [4, 2]]),
        (180, False, [[4, 3], [2, 1]]),
        (270, False, [[2, 4], [1, 3]]),
        (0, True, [[2, 1], [4, 3]]),
        (90, True, [[1, 3], [2, 4]]),
    ],
)
def test_turns_clockwise_then_mirrors(
    rotate_deg: int, mirror: bool, expected: list[list[int]]
) -> None:
    assert orient(CORNERS, rotate_deg, mirror).tolist() == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((480, 640), (480, 640)),
        ((48, 48), (48, 48)),  # small stays small
        ((1080, 1920, 3), (360, 640, 3)),
        ((4000, 100), (480, 12)),
        ((1, 100_000), (1, 640)),  # no side vanishes
    ],
)
def test_fits_into_the_working_size_in_proportion(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert fit(np.zeros(shape, np.uint8), 640, 480).shape == expected
