"""Pictures, folders of pictures and videos: in real time for the daemon, all frames for tools."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from device.camera.folder import list_sources
from device.camera.media_file import is_video, shown
from device.camera.pace import Pace
from device.camera.picture import read_picture
from device.camera.video import Video
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Frame, Image

log = logging.getLogger("mien.camera")

REPEAT_S = 0.5  # a time lapse must not look like a camera that went silent
MAX_GAP_S = 60.0  # some files have times that jump by hours


def read_all(
    path: Path, color: bool = False, rate_hz: float = 15.0, start_s: float = 0.0
) -> Iterator[Frame]:
    """Every frame in its original size, none dropped, none waited for.

    Args:
        path: a picture or a video; a folder's files come from ``list_sources``.
        color: RGB instead of grey.
        rate_hz: pace of the stamps where the file has none of its own.
        start_s: stamp of the first frame; a video's others are as far from it as the file says.

    Raises:
        CameraError: the file cannot be read, or a video is cut off or damaged (after the
            frames that could be read).
    """
    name = shown(path)
    if not is_video(path):
        yield Frame(read_picture(path, color), start_s, name)
        return
    with closing(Video(path, color)) as video:
        for number in itertools.count():
            image = video.read()
            if image is None:
                return
            time_s = video.time_s if video.rate_hz else number / rate_hz
            yield Frame(image, start_s + time_s, name)


class ReplaySource:
    """A picture, folder or video in real time; starts again at the end when asked to.

    Pictures come at ``frame_rate_hz``, videos at their own times. A file that cannot be read
    is named once and left out; when none can, the source fails.
    """

    is_live = False

    def __init__(
        self, settings: CameraSettings, color: bool = False, pace: Pace | None = None
    ) -> None:
        self._settings, self._color = settings, color
        self._pace = pace or Pace(settings.frame_rate_hz)
        self._images: Iterator[Image] = iter(())
        self._still: dict[Path, list[Frame]] = {}  # the last file, where it has a single frame
        self.name = shown(Path(settings.path))

    def open(self) -> None:
        """Lists the files, and names what of a folder is left out.

        Raises:
            CameraError: nothing there to replay.
        """
        listing = list_sources(Path(self._settings.path))
        for sentence in listing.left_out + listing.unreadable:
            log.warning("%s", sentence)
        self._images = self._play(listing.files)

    def read(self) -> Image | None:
        """The next picture when it is due; None at the end."""
        return next(self._images, None)

    def close(self) -> None:
        """Closes the video at hand."""
        self._images = iter(())

    def _play(self, files: list[Path]) -> Iterator[Image]:
        told: set[Path] = set()
        while True:
            num_shown = 0
            for file in files:
                try:
                    for image in self._play_file(file):
                        num_shown += 1
                        yield image
                except CameraError as error:
                    if len(files) == 1 and not num_shown:
                        raise
                    if file not in told:
                        log.warning("%s", error)
                        told.add(file)
            if not num_shown:
                raise CameraError(f"{self.name}: none of its {len(files)} files can be read")
            if not self._settings.loop:
                return

    def _play_file(self, file: Path) -> Iterator[Image]:
        """Each frame at its time; in a long gap the last one again, as a camera would see it."""
        rate_hz = self._settings.frame_rate_hz
        first: Frame | None = None
        last: Frame | None = None
        for frame in self._still.get(file) or read_all(file, self._color, rate_hz):
            if last is None:
                first = frame
                self._pace.wait()
            else:
                gap_s = min(frame.captured_at_s - last.captured_at_s, MAX_GAP_S)
                num_parts = 1 + int(gap_s / REPEAT_S)
                for _ in range(num_parts - 1):
                    self._pace.wait(gap_s / num_parts)
                    yield last.image
                self._pace.wait(gap_s / num_parts)
            yield frame.image
            last = frame
        if last and first is last:
            self._still = {file: [last]}
