"""Raspberry Pi CSI cameras through picamera2 (from apt: ``python3-picamera2``).

Grey comes from the luma plane of a small YUV420 stream, as the hardware makes it: nothing is
converted on the CPU.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError  # its own class until 3.11
from contextlib import suppress
from typing import Any

import numpy as np

from device.camera.sensor_mode import SensorMode, View, choose_view, read_modes
from device.errors import CameraAbsentError, CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image

log = logging.getLogger("mien.camera")

BUFFERS = 4  # fewer let the camera stall while a request is held


class PicameraSource:
    """Reads one CSI camera; ``connect`` makes the ``Picamera2`` for a sensor number.

    Attributes:
        view: the sensor mode and how much of the sensor it shows, once open; None: unknown.
    """

    name: str
    is_live: bool = True

    def __init__(
        self,
        settings: CameraSettings,
        color: bool = False,
        connect: Callable[[int], Any] | None = None,
    ) -> None:
        self._settings, self._color = settings, color
        self._connect = connect or _connect
        self._camera: Any = None
        self._size = (settings.width, settings.height)
        self._number = int(settings.device) if settings.device.isdigit() else 0
        self.name = f"picamera {self._number}"
        self.view: View | None = None

    def open(self) -> None:
        """Configures and starts the sensor, with its whole field of view.

        The picture keeps the sensor's aspect, so it may be lower or narrower than asked for.

        Raises:
            CameraError: picamera2 or the camera is missing, or another program has it.
        """
        self._camera = self._connect(self._number)
        sensor: dict[str, Any] = {}  # the driver chooses
        self._size = (self._settings.width, self._settings.height)
        rate_hz = self._settings.frame_rate_hz
        try:
            modes: list[SensorMode] = []
            with suppress(KeyError):  # picamera2 asks for a crop, which not every driver has
                modes = read_modes(self._camera.sensor_modes)
            view = choose_view(modes, *self._size, rate_hz)
            if view:
                self._size = (view.width, view.height)
                output_size = (view.mode.width, view.mode.height)
                sensor = {"output_size": output_size, "bit_depth": view.mode.bit_depth}
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"size": self._size, "format": "BGR888"},  # libcamera's RGB in memory
                    lores={"size": self._size, "format": "YUV420"},
                    controls={"FrameRate": rate_hz},
                    buffer_count=BUFFERS,
                    sensor=sensor,
                )
            )
            self._camera.start()
        except RuntimeError as error:
            raise CameraError(f"{self.name}: cannot be started: {error}") from error
        if view != self.view:
            log.info("%s: %s", self.name, view or "field of view unknown")
        self.view = view

    def read(self) -> Image | None:
        """The next picture; the request goes back at once, so the camera never waits for us.

        Raises:
            CameraError: none for ``stale_after_s``.
        """
        job = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(job, timeout=self._settings.stale_after_s)
        except (TimeoutError, FutureTimeoutError) as error:
            raise CameraError(
                f"{self.name}: no picture for {self._settings.stale_after_s:g} s; "
                "check the ribbon cable"
            ) from error
        try:
            if self._color:
                return np.array(request.make_array("main"), np.uint8)
            # Rows are padded to the hardware's stride, and U and V follow below.
            width, height = self._size
            return np.array(request.make_array("lores")[:height, :width], np.uint8)
        finally:
            request.release()

    def close(self) -> None:
        """Stops the sensor and gives it back.

        picamera2's ``stop`` would wait for ever behind a picture that never came; its ``close``
        ends the queue first and then stops the sensor itself.
        """
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


def csi_cameras(cameras: Sequence[Mapping[str, Any]]) -> list[int]:
    """Numbers of the CSI cameras; libcamera lists USB cameras too, which V4L2 serves better."""
    return [
        n for n, camera in enumerate(cameras) if "/usb" not in str(camera.get("Id", "")).lower()
    ]


def _connect(number: int) -> Any:
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise CameraAbsentError(
            "picamera2 is not installed; on Raspberry Pi OS: sudo apt install python3-picamera2, "
            "and Mien's environment needs --system-site-packages"
        ) from error
    found = csi_cameras(Picamera2.global_camera_info())
    if number >= len(found):
        raise CameraAbsentError(
            f"picamera {number}: no such CSI camera ({len(found)} found); check the ribbon cable, "
            "then `rpicam-hello --list-cameras`"
        )
    try:
        return Picamera2(found[number])
    except (RuntimeError, IndexError) as error:
        raise CameraError(
            f"picamera {number}: busy or not answering ({error}); is another camera program running?"
        ) from error
