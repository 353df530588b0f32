"""USB cameras, and all others that V4L2 serves with finished pictures."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.errors import CameraAbsentError, CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image

EARLY_SHARE = 0.5  # of a frame interval: a picture that much too early is skipped undecoded
VIDIOC_QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability), 104 bytes
CAPABILITY = struct.Struct("16s32s32sII I 12x")
VIDEO_CAPTURE = 0x00000001
HAS_DEVICE_CAPS = 0x80000000
# Capture nodes of the Raspberry Pi that give raw Bayer data or belong to codecs and the ISP.
NOT_CAMERAS = (b"bcm2835-isp", b"bcm2835-codec", b"unicam", b"rp1-cfe", b"pispbe", b"rpi-hevc-dec")
NOT_PERMITTED = "not permitted; add the user to the group video: sudo usermod -aG video $USER"
NO_VIDEO_DEVICE = "not a video device; correct camera.device (`mien doctor` lists cameras)"
REMEDIES = {
    errno.ENOENT: "no such camera; plug it in or correct camera.device (`mien doctor` lists them)",
    errno.EACCES: NOT_PERMITTED,
    errno.EPERM: NOT_PERMITTED,
    errno.EBUSY: "busy: another program uses it (`fuser -v {path}` names it)",
    errno.ENOTTY: NO_VIDEO_DEVICE,
    errno.EINVAL: NO_VIDEO_DEVICE,
}


def query_capability(path: Path) -> bytes:
    """The kernel's ``struct v4l2_capability``; does not start the camera.

    Raises:
        OSError: missing, not permitted, or not a V4L2 device.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return fcntl.ioctl(descriptor, VIDIOC_QUERYCAP, bytes(CAPABILITY.size))
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class VideoDevice:
    """A V4L2 device: its path and the card's name for people."""

    path: Path
    card: str


def list_cameras(
    folder: Path = Path("/dev"), query: Callable[[Path], bytes] = query_capability
) -> list[VideoDevice]:
    """Devices that give pictures OpenCV can use, in the kernel's order.

    Args:
        folder: where the ``video*`` nodes are.
        query: the kernel's answer about a path.
    """
    found = []
    for path in sorted(folder.glob("video*"), key=lambda node: (len(node.name), node.name)):
        try:
            driver, card, _, _, capabilities, device_caps = CAPABILITY.unpack(query(path))
        except OSError:
            continue  # in nobody's way: opening it by name says why
        caps = device_caps if capabilities & HAS_DEVICE_CAPS else capabilities
        if caps & VIDEO_CAPTURE and not driver.startswith(NOT_CAMERAS):
            found.append(VideoDevice(path, card.split(b"\0")[0].decode("utf-8", "replace")))
    return found


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

    name: str
    is_live: bool = True

    def __init__(
        self,
        settings: CameraSettings,
        color: bool = False,
        open_capture: Callable[[str], Any] = lambda path: cv2.VideoCapture(path, cv2.CAP_V4L2),
        probe: Callable[[Path], bytes] = query_capability,
        folder: Path = Path("/dev"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._folder = settings, folder
        self._code = cv2.COLOR_BGR2RGB if color else cv2.COLOR_BGR2GRAY
        self._open_capture, self._probe, self._clock = open_capture, probe, clock
        self._is_auto = settings.device in ("", "auto")
        self._capture: Any = None
        self._due_s = 0.0
        self.name = "V4L2 camera" if self._is_auto else settings.device

    def open(self) -> None:
        """Opens the device and asks for MJPEG, the size and the rate.

        Raises:
            CameraError: none there, not permitted, busy or no camera.
        """
        if self._is_auto:
            self.name = self._find()
        self._explain_unusable(Path(self.name))
        self._capture = capture = self._open_capture(self.name)
        if not capture.isOpened():
            raise CameraError(
                f"{self.name}: cannot be opened; another program may be using it "
                f"(`fuser -v {self.name}` names it), or it gives no pictures"
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
        interval_s, limit_s = 1 / self._settings.frame_rate_hz, self._settings.stale_after_s
        since_s = self._clock()
        while True:
            if not self._capture.grab():
                raise CameraError(f"{self.name}: no more pictures; unplugged or out of power?")
            now_s = self._clock()
            if now_s < self._due_s - EARLY_SHARE * interval_s:
                continue
            image = self._decode()
            if image is not None:
                self._due_s = max(self._due_s + interval_s, now_s)
                return image
            if now_s - since_s > limit_s:
                raise CameraError(
                    f"{self.name}: no picture that can be decoded for {limit_s:g} s; "
                    "try another cable or USB port"
                )

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
        if image.ndim == 3:  # else an infrared camera: grey, whatever was asked for
            image = cv2.cvtColor(image, self._code)
        return np.asarray(image, np.uint8)

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
            why = REMEDIES.get(error.errno or 0, f"cannot be opened: {error.strerror}")
            raise CameraError(f"{path}: {why.format(path=path)}") from error
