"""USB cameras, and all others that V4L2 serves with finished pictures."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.camera.source import CameraAbsentError
from device.camera.v4l2_devices import list_cameras, query_capability
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image

EARLY_SHARE = 0.5  # of a frame interval: a picture that much too early is skipped undecoded


class V4l2Source:
    """Reads one camera through OpenCV.

    A camera that is faster than ``frame_rate_hz`` is slowed down here: pictures too many are
    fetched but not decoded.

    Args:
        settings: device, size and rate asked for; a camera gives the nearest it has.
        color: RGB instead of grey.
        open_capture: makes the ``cv2.VideoCapture``.
        probe: the kernel's answer about a path; OSError when it is no usable V4L2 device.
        folder: where the ``video*`` nodes are.
        clock: monotonic seconds.
    """

    is_live = True

    def __init__(
        self,
        settings: CameraSettings,
        color: bool = False,
        open_capture: Callable[[str], Any] | None = None,
        probe: Callable[[Path], bytes] = query_capability,
        folder: Path = Path("/dev"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._code = cv2.COLOR_BGR2RGB if color else cv2.COLOR_BGR2GRAY
        self._open_capture = open_capture or _video_capture
        self._probe = probe
        self._folder = folder
        self._clock = clock
        self._capture: Any = None
        self._path = ""
        self._due_s = 0.0

    @property
    def name(self) -> str:
        """The device's path once it is known."""
        return self._path or ("V4L2 camera" if _is_auto(self._settings) else self._settings.device)

    def open(self) -> None:
        """Opens the device and asks for MJPEG, the size and the rate.

        Raises:
            CameraError: none there, not permitted, busy or no camera.
        """
        self._path = self._find() if _is_auto(self._settings) else self._settings.device
        self._explain_unusable(Path(self._path))
        capture = self._open_capture(self._path)
        self._capture = capture
        if not capture.isOpened():
            raise CameraError(
                f"{self._path}: cannot be opened; another program may be using it "
                f"(`fuser -v {self._path}` names it), or it gives no pictures"
            )
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._settings.height)
        capture.set(cv2.CAP_PROP_FPS, self._settings.frame_rate_hz)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._due_s = self._clock()

    def read(self) -> Image | None:
        """The next picture that is due; the few that cannot be decoded are left out.

        A bad cable or a full USB bus spoils single pictures: opening the camera again for them
        would cost many more.

        Raises:
            CameraError: unplugged, silent for OpenCV's ten seconds, or nothing that can be
                decoded for ``stale_after_s``.
        """
        since_s = self._clock()
        while True:
            now_s = self._wait_until_due()
            image = self._decode()
            if image is not None:
                self._due_s = max(self._due_s + 1 / self._settings.frame_rate_hz, now_s)
                return image
            if now_s - since_s > self._settings.stale_after_s:
                raise CameraError(
                    f"{self._path}: no picture that can be decoded for "
                    f"{self._settings.stale_after_s:g} s; try another cable or USB port"
                )

    def _wait_until_due(self) -> float:
        early_s = EARLY_SHARE / self._settings.frame_rate_hz
        while True:
            if not self._capture.grab():
                raise CameraError(f"{self._path}: no more pictures; unplugged or out of power?")
            now_s = self._clock()
            if now_s >= self._due_s - early_s:
                return now_s

    def _decode(self) -> Image | None:
        """The picture at hand as grey or RGB; None when it is spoilt."""
        try:
            good, image = self._capture.retrieve()
        except cv2.error:  # its MJPEG decoder met what it does not expect
            return None
        if not good or image is None or not image.size:
            return None
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[..., 0]
        if image.ndim == 2:  # an infrared camera: grey, whatever was asked for
            return np.asarray(image, np.uint8)
        return np.asarray(cv2.cvtColor(image, self._code), np.uint8)

    def close(self) -> None:
        """Gives the device back."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _find(self) -> str:
        cameras = list_cameras(self._folder, self._probe)
        if cameras:
            return str(cameras[0].path)
        for path in sorted(self._folder.glob("video*")):
            self._explain_unusable(path)
        raise CameraAbsentError("no V4L2 (USB) camera found; plug one in or set camera.source")

    def _explain_unusable(self, path: Path) -> None:
        try:
            self._probe(path)
        except OSError as error:
            raise CameraError(f"{path}: {_explain(error, path)}") from error


def _explain(error: OSError, path: Path) -> str:
    if error.errno == errno.ENOENT:
        return "no such camera; plug it in or correct camera.device (`mien doctor` lists them)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "not permitted; add the user to the group video: sudo usermod -aG video $USER"
    if error.errno == errno.EBUSY:
        return f"busy: another program uses it (`fuser -v {path}` names it)"
    if error.errno in (errno.ENOTTY, errno.EINVAL):
        return "not a video device; correct camera.device (`mien doctor` lists cameras)"
    return f"cannot be opened: {error.strerror}"


def _is_auto(settings: CameraSettings) -> bool:
    return settings.device in ("", "auto")


def _video_capture(path: str) -> cv2.VideoCapture:
    return cv2.VideoCapture(path, cv2.CAP_V4L2)
