"""From ``[camera]`` settings to the source they name."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from device.camera.demo import DemoSource
from device.camera.jetson import JetsonSource
from device.camera.picamera import PicameraSource
from device.camera.replay import ReplaySource
from device.camera.source import CameraAbsentError, Source
from device.camera.v4l2 import V4l2Source
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image

log = logging.getLogger("mien.camera")


def make_source(settings: CameraSettings, color: bool = False) -> Source:
    """The source that the settings name; nothing is opened yet.

    Args:
        settings: the table ``[camera]``.
        color: RGB frames instead of grey ones (slower).
    """
    if settings.source == "demo":
        return DemoSource(settings, color)
    if settings.source == "replay":
        return ReplaySource(settings, color)
    if settings.source == "picamera":
        return PicameraSource(settings, color)
    if settings.source == "jetson":
        return JetsonSource(settings, color)
    usb = V4l2Source(settings, color)
    if settings.source == "v4l2" or settings.device.startswith("/"):  # a path means V4L2
        return usb
    return FirstThatOpens([PicameraSource(settings, color), JetsonSource(settings, color), usb])


class FirstThatOpens:
    """Tries sources in order each time it is opened, so a camera may come later or change.

    A source counts once its first picture is there: ``gst-launch-1.0`` also starts on a
    machine without a camera.
    """

    is_live = True

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._chosen: Source | None = None
        self._first: Image | None = None

    @property
    def name(self) -> str:
        """The chosen source's, ``camera`` while there is none."""
        return self._chosen.name if self._chosen else "camera"

    def open(self) -> None:
        """Opens the first source that gives a picture.

        Raises:
            CameraError: none does; says what is wrong with the first one that is there.
        """
        failures = []
        for source in self._sources:
            try:
                source.open()
                self._first = source.read()
            except CameraError as error:
                source.close()
                failures.append(error)
                continue
            self._chosen = source
            log.info("camera: %s", source.name)
            return
        log.debug("no camera: %s", "; ".join(map(str, failures)))
        for failure in failures:
            if not isinstance(failure, CameraAbsentError):  # it is here, and it is broken
                raise failure
        raise CameraAbsentError(
            "no camera found (CSI or USB); plug one in, or set camera.source "
            "(`mien doctor` says what each kind answers)"
        )

    def read(self) -> Image | None:
        """The next picture of the chosen source."""
        if self._first is not None:
            image, self._first = self._first, None
            return image
        return self._chosen.read() if self._chosen else None

    def close(self) -> None:
        """Closes the chosen source."""
        if self._chosen:
            self._chosen.close()
        self._chosen = self._first = None
