"""From ``[camera]`` settings to the source they name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from device.camera.demo import DemoSource
from device.camera.jetson import JetsonSource
from device.camera.picamera import PicameraSource
from device.camera.replay import ReplaySource
from device.camera.source import Source, failure_of
from device.camera.v4l2 import V4l2Source
from device.errors import CameraAbsentError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image

log = logging.getLogger("mien.camera")

SOURCES: dict[str, Callable[[CameraSettings, bool], Source]] = {
    "demo": DemoSource,
    "replay": ReplaySource,
    "picamera": PicameraSource,
    "jetson": JetsonSource,
    "v4l2": V4l2Source,
}
LIVE = ("picamera", "jetson", "v4l2")  # in the order that ``auto`` tries them


def make_source(settings: CameraSettings, color: bool = False) -> Source:
    """The source that the settings name; nothing is opened yet.

    Args:
        settings: the table ``[camera]``.
        color: RGB frames instead of grey ones (slower).
    """
    kind = settings.source
    if kind == "auto" and settings.device.startswith("/"):  # a path means V4L2
        kind = "v4l2"
    if kind == "auto":
        return FirstThatOpens([SOURCES[live](settings, color) for live in LIVE])
    return SOURCES[kind](settings, color)


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
            if (failure := failure_of(partial(self._try, source), source)) is None:
                log.info("camera: %s", source.name)
                return
            failures.append(failure)
            failure_of(source.close, source)  # or it would be busy at the next attempt
        log.debug("no camera: %s", "; ".join(map(str, failures)))
        for failure in failures:
            if not isinstance(failure, CameraAbsentError):  # it is here, and it is broken
                raise failure
        raise CameraAbsentError(
            "no camera found (CSI or USB); plug one in, or set camera.source "
            "(`mien doctor` says what each kind answers)"
        )

    def _try(self, source: Source) -> None:
        source.open()
        self._first, self._chosen = source.read(), source

    def read(self) -> Image | None:
        """The next picture of the chosen source."""
        image, self._first = self._first, None
        if image is None and self._chosen:
            return self._chosen.read()
        return image

    def close(self) -> None:
        """Closes the chosen source."""
        if self._chosen:
            self._chosen.close()
        self._chosen = self._first = None
