"""A camera that looks after itself: newest frame only, opened again when it is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import cv2
import numpy as np

from device.camera.source import Source, failure_of
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Frame, Image

T = TypeVar("T")

log = logging.getLogger("mien.camera")

WAIT_S = 0.5  # without a frame: then the loop gets None and can look after the rest
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
HANG_AFTER_S = 15.0  # beyond stale_after_s; OpenCV's V4L2 read itself gives up after 10 s
CLOSE_WAIT_S = 2.0
TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class NewestFrameCamera:
    """Reads a source in its own thread and hands over only the newest frame.

    Args:
        source: the adapter; used by the capture thread alone.
        settings: rotation, working size and the times to wait.
        clock: monotonic seconds.
        wait_s: how long ``frames`` waits before it yields None.

    Attributes:
        dropped: frames replaced by newer ones before the loop took them.
    """

    dropped: int = 0

    def __init__(
        self,
        source: Source,
        settings: CameraSettings,
        clock: Callable[[], float] = time.monotonic,
        wait_s: float = WAIT_S,
    ) -> None:
        self._source, self._settings = source, settings
        self._clock, self._wait_s = clock, wait_s
        self._changed = threading.Condition()  # guards what follows
        self._newest: Frame | None = None
        self._ended = False
        self._error: str | None = None
        self._fresh_s = clock()  # the last frame; before the first, the start
        self._call_since_s: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._capture, name="camera", daemon=True)

    def start(self) -> NewestFrameCamera:
        """Opens the camera in the background; ``frames`` does it too when nobody has."""
        if self._thread.ident is None:
            self._fresh_s = self._clock()
            self._thread.start()
        return self

    def frames(self) -> Iterator[Frame | None]:
        """Yields the newest frame; None after half a second without one; ends with the source.

        Raises:
            CameraError: a replay cannot be read, or the camera stayed away longer than
                ``give_up_after_s``.
        """
        self.start()
        while not self._stop.is_set():
            with self._changed:
                self._changed.wait_for(
                    lambda: self._newest is not None or self._ended, self._wait_s
                )
                frame, self._newest = self._newest, None
                ended = self._ended
            if frame is None and ended:
                if self._error:
                    raise CameraError(self._error)
                return
            limit_s = self._settings.give_up_after_s
            if frame is None and 0 < limit_s < self._clock() - self._fresh_s:
                problem = self.problem or f"{self._source.name}: no picture"
                raise CameraError(f"{problem}; gave up after {limit_s:g} s")
            yield frame

    @property
    def problem(self) -> str | None:
        """Why there are no frames, in one line; None while there are."""
        if self._error:
            return self._error
        if self._clock() - self._fresh_s > self._settings.stale_after_s:
            return f"{self._source.name}: no picture for {self._settings.stale_after_s:g} s"
        return None

    @property
    def responsive(self) -> bool:
        """False while a call into the driver hangs: then only a restart helps."""
        since_s = self._call_since_s
        limit_s = self._settings.stale_after_s + HANG_AFTER_S
        return since_s is None or self._clock() - since_s <= limit_s

    def close(self) -> None:
        """Stops the capture; a thread that hangs in a driver is left to die with the process."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_WAIT_S)

    def _capture(self) -> None:
        """The thread: open, read until it fails, close, wait, again."""
        backoff_s = FIRST_BACKOFF_S
        while not self._stop.is_set():
            opened_s = self._clock()
            failure = failure_of(self._read_to_the_end, self._source)
            problem = None if failure is None else str(failure)
            # Whatever closing says: the next open says what is wrong.
            failure_of(lambda: self._call(self._source.close), self._source)
            if problem is None or not self._source.is_live:
                with self._changed:
                    self._error, self._ended = problem, True
                    self._changed.notify_all()
                return
            if self._stop.is_set():
                return
            if problem != self._error:
                log.warning("camera lost: %s", problem)
            with self._changed:
                self._error = problem
            if self._fresh_s > opened_s:  # it did deliver: a new failure, not the old one
                backoff_s = FIRST_BACKOFF_S
            self._stop.wait(backoff_s)
            backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)

    def _read_to_the_end(self) -> None:
        """Hands over every picture until the source ends or ``close`` was called."""
        settings = self._settings
        self._call(self._source.open)
        while not self._stop.is_set():
            image = self._call(self._source.read)
            if image is None:
                return
            image = fit(image, settings.width, settings.height)
            image = orient(image, settings.rotate_deg, settings.mirror)
            self._put(Frame(image, self._clock(), self._source.name))

    def _call(self, driver: Callable[[], T]) -> T:
        """Calls the driver, and notes since when it has been at it."""
        self._call_since_s = self._clock()
        try:
            return driver()
        finally:
            self._call_since_s = None

    def _put(self, frame: Frame) -> None:
        with self._changed:
            was_lost = self._error is not None
            self.dropped += self._newest is not None
            self._newest = frame
            self._fresh_s = frame.captured_at_s
            self._error = None
            self._changed.notify_all()
        if was_lost:
            log.info("camera back: %s", self._source.name)


def fit(image: Image, width: int, height: int) -> Image:
    """The image scaled down to fit into ``width`` × ``height`` px, sides in proportion.

    A smaller image stays as it is: enlarging adds work, not detail.
    """
    own_height, own_width = image.shape[:2]
    scale = min(width / own_width, height / own_height)
    if scale >= 1:
        return image
    size = (max(1, round(own_width * scale)), max(1, round(own_height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def orient(image: Image, rotate_deg: int, mirror: bool) -> Image:
    """The image turned clockwise by 0, 90, 180 or 270 degrees, then mirrored if asked."""
    if rotate_deg in TURNS:
        image = np.asarray(cv2.rotate(image, TURNS[rotate_deg]), np.uint8)
    if mirror:
        image = np.asarray(cv2.flip(image, 1), np.uint8)
    return image
