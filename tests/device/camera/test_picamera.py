from __future__ import annotations

import builtins
import logging
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from device.__main__ import main
from device.camera.picamera import PicameraSource, csi_cameras
from device.errors import CameraAbsentError, CameraError
from device.settings.tree import Camera as CameraSettings
from tests.device.camera.sensors import MODULE_2, MODULE_3, sensor_modes

STRIDE = 704  # rows of 640 px padded to the hardware's 64 bytes


class FakeRequest:
    def __init__(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration
        self.released = False

    def make_array(self, stream: str) -> np.ndarray:
        width, height = self.configuration[stream]["size"]
        if stream == "main":
            return np.full((height, width, 3), (1, 2, 3), np.uint8)
        plane = np.full((height * 3 // 2, STRIDE), 128, np.uint8)
        plane[:height, :width] = 77
        return plane

    def release(self) -> None:
        self.released = True


class FakePicamera2:
    """The part of picamera2 that we use, with its queue of jobs.

    A job that is not done stays first in the queue, and all others wait behind it: ``stop``
    too while the event loop runs. ``close`` ends the loop and then stops without a job.
    """

    def __init__(self, silent: bool = False, busy: bool = False, modes: Any = MODULE_2) -> None:
        self.silent, self.busy = silent, busy
        self.modes = modes
        self.calls: list[str] = []
        self.jobs: list[str] = []
        self.configuration: dict[str, Any] = {}
        self.request = FakeRequest(self.configuration)

    @property
    def sensor_modes(self) -> list[dict[str, Any]]:
        if not self.modes:
            raise KeyError("ScalerCrop")
        return sensor_modes(*self.modes)

    def create_video_configuration(self, **options: Any) -> dict[str, Any]:
        return options

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration.update(configuration)

    def start(self) -> None:
        if self.busy:
            raise RuntimeError("Failed to acquire camera")
        self.calls.append("start")

    def capture_request(self, wait: bool) -> str:
        assert wait is False
        self.jobs.append("capture")
        return "capture"

    def wait(self, job: str, timeout: float) -> FakeRequest:
        assert (job, timeout) == (self.jobs[-1], 5.0)
        if self.silent:
            raise TimeoutError
        self.jobs.remove(job)
        return self.request

    def stop(self) -> None:
        if self.jobs:
            raise AssertionError(f"waits for ever behind {self.jobs}")
        self.calls.append("stop")

    def close(self) -> None:
        self.jobs.clear()
        self.stop()
        self.calls.append("close")


def open_source(camera: FakePicamera2, color: bool = False) -> PicameraSource:
    source = PicameraSource(CameraSettings(device="1"), color, connect=lambda number: camera)
    source.open()
    return source


def test_grey_is_the_luma_plane_without_its_padding() -> None:
    camera = FakePicamera2()
    image = open_source(camera).read()
    assert image is not None
    assert image.shape == (480, 640)
    assert np.all(image == 77)
    assert camera.request.released
    assert camera.configuration["lores"] == {"size": (640, 480), "format": "YUV420"}


def test_color_is_the_main_stream_as_rgb() -> None:
    camera = FakePicamera2()
    image = open_source(camera, color=True).read()
    assert image is not None
    assert image[0, 0].tolist() == [1, 2, 3]
    assert camera.configuration["main"]["format"] == "BGR888"  # libcamera names it backwards


def test_a_silent_sensor_is_an_error_that_names_the_cable() -> None:
    with pytest.raises(CameraError, match="picamera 1: no picture for 5 s; check the ribbon"):
        open_source(FakePicamera2(silent=True)).read()


def test_a_silent_sensor_can_be_closed_and_opened_again() -> None:
    silent, awake = FakePicamera2(silent=True), FakePicamera2()
    cameras = [silent, awake]
    source = PicameraSource(CameraSettings(), connect=lambda number: cameras.pop(0))
    source.open()
    with pytest.raises(CameraError, match="no picture"):
        source.read()
    source.close()
    assert silent.calls == ["start", "stop", "close"]
    source.open()
    assert source.read() is not None


def test_the_whole_sensor_is_asked_for_and_its_aspect_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    camera = FakePicamera2(modes=MODULE_3)
    source = open_source(camera)
    assert camera.configuration["sensor"] == {"output_size": (2304, 1296), "bit_depth": 10}
    assert source.view is not None
    assert (source.view.width_share, source.view.height_share) == (1, 1)
    assert "100% of the sensor's width" in caplog.text
    image = source.read()
    assert image is not None
    assert image.shape == (360, 640)
    assert np.all(image == 77)


def test_a_driver_without_raw_modes_chooses_itself() -> None:
    camera = FakePicamera2(modes=())
    source = open_source(camera)
    assert camera.configuration["sensor"] == {}
    assert source.view is None


def test_a_busy_sensor_is_an_error_and_is_given_back() -> None:
    camera = FakePicamera2(busy=True)
    source = PicameraSource(CameraSettings(), connect=lambda number: camera)
    with pytest.raises(CameraError, match="picamera 0: cannot be started: Failed to acquire"):
        source.open()
    source.close()
    source.close()
    assert camera.calls == ["stop", "close"]


def test_usb_cameras_that_libcamera_lists_are_left_to_v4l2() -> None:
    usb = {"Id": "/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-046d:0825"}
    csi = {"Id": "/base/soc/i2c0mux/i2c@1/imx219@10"}
    assert csi_cameras([usb, csi]) == [1]
    assert csi_cameras([]) == []


def test_without_picamera2_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_picamera2(name: str, *args: Any, **keywords: Any) -> Any:
        if name == "picamera2":
            raise ImportError(name)
        return real_import(name, *args, **keywords)

    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", no_picamera2)
    with pytest.raises(CameraAbsentError, match="sudo apt install python3-picamera2"):
        PicameraSource(CameraSettings()).open()


@pytest.mark.parametrize(
    ("busy", "words"),
    [(False, "100% of the sensor's width and 100% of its height"), (True, "cannot be started")],
)
def test_doctor_says_how_much_of_the_sensor_is_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], busy: bool, words: str
) -> None:
    module = ModuleType("picamera2")
    module.__spec__ = ModuleSpec("picamera2", None)
    monkeypatch.setitem(sys.modules, "picamera2", module)
    camera = FakePicamera2(busy=busy)

    def connect(number: int) -> FakePicamera2:
        return camera

    connect.global_camera_info = lambda: [{"Id": "imx219"}]  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "Picamera2", connect, raising=False)
    main(["doctor"], {})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "csi camera" in line]
    assert words in line
    assert camera.calls[-1] == "close"
