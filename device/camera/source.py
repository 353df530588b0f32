"""What every camera adapter offers, and the pace of those that read files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from device.errors import CameraError
from device.vocabulary import Image

log = logging.getLogger("mien.camera")


class Source(Protocol):
    """A camera or replay as its driver gives it: blocking, single-threaded, may fail.

    An adapter is made of the table ``[camera]`` and ``color``: RGB pictures instead of grey.
    """

    @property
    def name(self) -> str:
        """For people: ``/dev/video0``, ``demo``, a path."""

    @property
    def is_live(self) -> bool:
        """True for hardware, worth opening again after a failure; False for files."""

    def open(self) -> None:
        """Gets ready to read.

        Raises:
            CameraError: not found, busy, not permitted, unreadable.
        """

    def read(self) -> Image | None:
        """Waits for the next picture; None at the end of a replay.

        Returns:
            (height, width) uint8 grey or (height, width, 3) uint8 RGB.

        Raises:
            CameraError: the camera stopped, or sent nothing for ``stale_after_s``.
        """

    def close(self) -> None:
        """Frees the device; harmless when it is not open."""


def failure_of(work: Callable[[], object], source: Source) -> CameraError | None:
    """Does work that calls a source's driver; what went wrong, or None."""
    try:
        work()
    except CameraError as error:
        return error
    except Exception as error:  # drivers raise what they like; a camera is never fatal here
        log.debug("camera driver", exc_info=True)
        return CameraError(f"{source.name}: {type(error).__name__}: {error}")
    return None


class Pace:
    """Lets ``rate_hz`` pictures a second through, or each after an interval of its own."""

    def __init__(
        self,
        rate_hz: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval_s, self._clock, self._sleep = 1 / rate_hz, clock, sleep
        self._last_due_s: float | None = None

    def wait(self, interval_s: float | None = None) -> None:
        """Sleeps until the next picture is due; one that is late is not caught up for.

        Args:
            interval_s: from the last picture to this one; by default what ``rate_hz`` says.
        """
        now_s = self._clock()
        due_s = now_s
        if self._last_due_s is not None:
            due_s = self._last_due_s + (self._interval_s if interval_s is None else interval_s)
        if due_s > now_s:
            self._sleep(due_s - now_s)
        self._last_due_s = max(due_s, now_s)
