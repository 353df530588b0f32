"""What every camera adapter offers to the capture thread."""

from __future__ import annotations

from typing import Protocol

from device.errors import CameraError
from device.vocabulary import Image


class CameraAbsentError(CameraError):
    """This kind of camera is not here at all: another kind may be."""


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
