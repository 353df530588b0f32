from __future__ import annotations

import numpy as np
import pytest

from device.camera.choose import FirstThatOpens, make_source
from device.camera.demo import DemoSource
from device.camera.jetson import JetsonSource
from device.camera.picamera import PicameraSource
from device.camera.replay import ReplaySource
from device.camera.v4l2 import V4l2Source
from device.errors import CameraAbsentError, CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image


class FakeSource:
    is_live = True

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.is_open = False

    def open(self) -> None:
        self.is_open = True

    def read(self) -> Image | None:
        if self.error:
            raise self.error
        return np.zeros((4, 4), np.uint8)

    def close(self) -> None:
        self.is_open = False


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (CameraSettings(source="demo"), DemoSource),
        (CameraSettings(source="replay", path="x"), ReplaySource),
        (CameraSettings(source="picamera"), PicameraSource),
        (CameraSettings(source="jetson"), JetsonSource),
        (CameraSettings(source="v4l2"), V4l2Source),
        (CameraSettings(source="auto"), FirstThatOpens),
        (CameraSettings(source="auto", device="/dev/video2"), V4l2Source),
    ],
)
def test_settings_name_the_source(settings: CameraSettings, kind: type) -> None:
    assert isinstance(make_source(settings), kind)


def test_auto_takes_the_first_that_gives_a_picture() -> None:
    absent = FakeSource("csi", CameraAbsentError("no csi"))
    present, unused = FakeSource("usb"), FakeSource("other")
    source = FirstThatOpens([absent, present, unused])
    source.open()
    assert source.name == "usb"
    assert (absent.is_open, present.is_open, unused.is_open) == (False, True, False)
    assert source.read() is not None  # the one it was tried with
    assert source.read() is not None
    source.close()
    assert not present.is_open


@pytest.mark.parametrize("error", [RuntimeError("request failed"), ValueError("numpy ABI")])
def test_auto_closes_a_camera_whose_driver_fails_oddly_and_takes_the_next(
    error: Exception,
) -> None:
    odd, present = FakeSource("csi", error), FakeSource("usb")
    source = FirstThatOpens([odd, present])
    source.open()
    assert (source.name, odd.is_open) == ("usb", False)
    with pytest.raises(CameraError, match=f"csi: {type(error).__name__}: {error}"):
        FirstThatOpens([odd, FakeSource("usb", CameraAbsentError("no usb"))]).open()


def test_auto_without_any_camera_says_what_to_do() -> None:
    source = FirstThatOpens([FakeSource("csi", CameraAbsentError("no csi"))])
    with pytest.raises(CameraAbsentError, match=r"no camera found \(CSI or USB\); plug one in"):
        source.open()


def test_auto_tells_of_the_camera_that_is_there_but_broken() -> None:
    absent = FakeSource("csi", CameraAbsentError("no csi"))
    broken = FakeSource("usb", CameraError("usb: not permitted"))
    with pytest.raises(CameraError, match="usb: not permitted"):
        FirstThatOpens([absent, broken]).open()
