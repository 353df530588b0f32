"""Which /dev/video* are cameras: asks the kernel (VIDIOC_QUERYCAP) without starting them."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

VIDIOC_QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability), 104 bytes
CAPABILITY = struct.Struct("16s32s32sII I 12x")
VIDEO_CAPTURE = 0x00000001
HAS_DEVICE_CAPS = 0x80000000

# Capture nodes of the Raspberry Pi that give raw Bayer data or belong to codecs and the ISP.
NOT_CAMERAS = ("bcm2835-isp", "bcm2835-codec", "unicam", "rp1-cfe", "pispbe", "rpi-hevc-dec")


@dataclass(frozen=True)
class VideoDevice:
    """A V4L2 device: path, the kernel's driver and the card's name for people."""

    path: Path
    driver: str
    card: str


def list_cameras(
    folder: Path = Path("/dev"), query: Callable[[Path], bytes] | None = None
) -> list[VideoDevice]:
    """Devices that give pictures OpenCV can use, in the kernel's order.

    Args:
        folder: where the ``video*`` nodes are.
        query: answers a path with 104 bytes of ``struct v4l2_capability`` or OSError; the
            kernel by default.
    """
    found = []
    for path in sorted(folder.glob("video*"), key=_number):
        try:
            answer = (query or query_capability)(path)
        except OSError:
            continue  # in nobody's way: opening it by name says why
        driver, card, _, _, capabilities, device_caps = CAPABILITY.unpack(answer)
        caps = device_caps if capabilities & HAS_DEVICE_CAPS else capabilities
        device = VideoDevice(path, _text(driver), _text(card))
        if caps & VIDEO_CAPTURE and not device.driver.startswith(NOT_CAMERAS):
            found.append(device)
    return found


def query_capability(path: Path) -> bytes:
    """The kernel's ``struct v4l2_capability``.

    Raises:
        OSError: missing, not permitted, or not a V4L2 device.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return fcntl.ioctl(descriptor, VIDIOC_QUERYCAP, bytes(CAPABILITY.size))
    finally:
        os.close(descriptor)


def _number(path: Path) -> int:
    digits = re.search(r"\d+$", path.name)
    return int(digits[0]) if digits else -1


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")
