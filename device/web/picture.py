"""The camera's picture for the page: small, a few times a second at most, kept nowhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import cv2

from device.vocabulary import Frame

MOST_WIDTH_PX = 480
QUALITY = 75
INTERVAL_S = 0.25


class PictureTaker:
    """Makes JPEGs of the newest frame, one for all who look.

    Args:
        clock: monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made_s = float("-inf")
        self._made = b""

    def take(self, frame: Frame | None) -> bytes:
        """A JPEG, at most ``INTERVAL_S`` old; empty where there is no frame."""
        with self._lock:
            now_s = self._clock()
            if frame is None:
                self._made, self._made_s = b"", float("-inf")
            elif now_s - self._made_s >= INTERVAL_S:
                self._made, self._made_s = encode_jpeg(frame), now_s
            return self._made


def encode_jpeg(frame: Frame) -> bytes:
    """The frame, at most ``MOST_WIDTH_PX`` wide, without any text about it."""
    image = frame.image
    if frame.width > MOST_WIDTH_PX:
        height = max(1, round(frame.height * MOST_WIDTH_PX / frame.width))
        image = cv2.resize(image, (MOST_WIDTH_PX, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)  # type: ignore[assignment]
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return jpeg.tobytes()
