from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.camera.v4l2 import CAPABILITY, V4l2Source, list_cameras
from device.errors import CameraAbsentError, CameraError
from device.settings.tree import Camera as CameraSettings

BLUE = np.full((480, 640, 3), (255, 0, 0), np.uint8)  # in OpenCV's BGR
CAPTURE, METADATA, HAS_DEVICE_CAPS = 0x1, 0x00800000, 0x80000000


def capability(driver: str, card: str, device_caps: int) -> bytes:
    whole_device = HAS_DEVICE_CAPS | CAPTURE  # a UVC camera's metadata node says so as well
    return CAPABILITY.pack(driver.encode(), card.encode(), b"usb-1", 6, whole_device, device_caps)


def answers(path: Path) -> bytes:
    return {
        "video0": capability("unicam", "unicam", CAPTURE),
        "video2": capability("uvcvideo", "C920", CAPTURE),
        "video3": capability("uvcvideo", "C920", METADATA),
        "video13": capability("bcm2835-isp", "bcm2835-isp-capture0", CAPTURE),
    }[path.name]


def denied(path: Path) -> bytes:
    raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    for number in (0, 2, 3, 13):
        (tmp_path / f"video{number}").touch()
    return tmp_path


class FakeCapture:
    """OpenCV's capture; ``step_s`` passes on the clock with each picture."""

    def __init__(
        self,
        num_pictures: int = 1000,
        step_s: float = 0.1,
        opened: bool = True,
        image: Any = BLUE,
        spoilt_every: int = 0,
    ) -> None:
        self.image, self.spoilt_every = image, spoilt_every
        self.num_left, self.step_s, self.opened = num_pictures, step_s, opened
        self.now_s = 0.0
        self.properties: dict[int, float] = {}
        self.num_decoded = 0
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opened

    def set(self, key: int, value: float) -> bool:
        self.properties[key] = value
        return True

    def grab(self) -> bool:
        self.now_s += self.step_s
        self.num_left -= 1
        return self.num_left >= 0

    def retrieve(self) -> tuple[bool, Any]:
        self.num_decoded += 1
        if self.spoilt_every and self.num_decoded % self.spoilt_every == 0:
            return False, None
        return True, self.image

    def release(self) -> None:
        self.released = True


def open_source(capture: FakeCapture, color: bool = False, rate_hz: float = 15) -> V4l2Source:
    source = V4l2Source(
        CameraSettings(device="/dev/video7", frame_rate_hz=rate_hz),
        color,
        open_capture=lambda path: capture,
        probe=lambda path: b"",
        clock=lambda: capture.now_s,
    )
    source.open()
    return source


def test_only_nodes_that_give_finished_pictures_are_cameras(dev: Path) -> None:
    cameras = list_cameras(dev, answers)
    assert [(c.path.name, c.card) for c in cameras] == [("video2", "C920")]


def test_auto_takes_the_first_camera(dev: Path) -> None:
    opened: list[str] = []

    def open_capture(path: str) -> FakeCapture:
        opened.append(path)
        return FakeCapture()

    source = V4l2Source(CameraSettings(), open_capture=open_capture, probe=answers, folder=dev)
    source.open()
    assert opened == [str(dev / "video2")]
    assert source.name == opened[0]


def test_no_camera_at_all_says_so(tmp_path: Path) -> None:
    with pytest.raises(CameraAbsentError, match=r"no V4L2 \(USB\) camera found; plug one in"):
        V4l2Source(CameraSettings(), folder=tmp_path).open()


def test_auto_without_permission_names_the_remedy(dev: Path) -> None:
    with pytest.raises(CameraError, match="usermod -aG video"):
        V4l2Source(CameraSettings(), probe=denied, folder=dev).open()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "no such camera; plug it in or correct camera.device"),
        (errno.EACCES, "not permitted; add the user to the group video"),
        (errno.EBUSY, "busy: another program uses it"),
        (errno.ENOTTY, "not a video device"),
        (errno.EIO, "cannot be opened: Input/output error"),
    ],
)
def test_each_cause_has_its_own_remedy(number: int, words: str) -> None:
    def probe(path: Path) -> bytes:
        raise OSError(number, os.strerror(number))

    source = V4l2Source(CameraSettings(device="/dev/video7"), probe=probe)
    with pytest.raises(CameraError, match=f"/dev/video7: {words}"):
        source.open()


def test_a_plain_file_is_not_a_video_device(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.touch()
    with pytest.raises(CameraError, match="not a video device"):
        V4l2Source(CameraSettings(device=str(path))).open()  # the kernel itself answers


def test_a_camera_that_opencv_cannot_open_is_probably_busy() -> None:
    with pytest.raises(CameraError, match="another program may be using it"):
        open_source(FakeCapture(opened=False))


def test_grey_by_default_and_rgb_on_request() -> None:
    grey = open_source(FakeCapture()).read()
    assert grey is not None
    assert grey.shape == (480, 640)
    rgb = open_source(FakeCapture(), color=True).read()
    assert rgb is not None
    assert rgb[0, 0].tolist() == [0, 0, 255]


def test_a_camera_that_is_too_fast_is_slowed_without_decoding() -> None:
    capture = FakeCapture(step_s=1 / 30)
    source = open_source(capture, rate_hz=15)
    for _ in range(30):
        source.read()
    assert capture.num_decoded == 30
    assert capture.now_s == pytest.approx(2.0, abs=0.1)


def test_a_camera_that_is_too_slow_is_read_as_it_comes() -> None:
    capture = FakeCapture(step_s=0.5)
    source = open_source(capture, rate_hz=15)
    source.read()
    source.read()
    assert capture.now_s == pytest.approx(1.0)


def test_an_unplugged_camera_is_an_error_and_is_released() -> None:
    capture = FakeCapture(num_pictures=0)
    source = open_source(capture)
    with pytest.raises(CameraError, match="unplugged"):
        source.read()
    source.close()
    source.close()
    assert capture.released


def test_single_pictures_that_cannot_be_decoded_are_left_out() -> None:
    capture = FakeCapture(step_s=1 / 30, spoilt_every=10)
    source = open_source(capture, rate_hz=15)
    for _ in range(90):
        assert source.read() is not None
    assert capture.num_decoded == 99
    assert capture.now_s == pytest.approx(6.0, abs=0.5)  # none of the rate is lost


@pytest.mark.parametrize("image", [None, np.empty((0, 0, 3), np.uint8)])
def test_a_camera_whose_pictures_all_cannot_be_decoded_is_lost(image: Any) -> None:
    source = open_source(FakeCapture(image=image, step_s=0.1))
    with pytest.raises(CameraError, match="no picture that can be decoded for 5 s"):
        source.read()


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 1)])
@pytest.mark.parametrize("color", [False, True])
def test_an_infrared_camera_gives_grey(shape: tuple[int, ...], color: bool) -> None:
    image = open_source(FakeCapture(image=np.full(shape, 9, np.uint8)), color).read()
    assert image is not None
    assert image.shape == (48, 64)
