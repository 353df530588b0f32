"""Pictures, folders of pictures and videos: in real time for the daemon, all frames for tools."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from device.camera.media_file import (
    HEAD_BYTES,
    explain_unreadable,
    is_video,
    shown,
    sniff,
    special_kind,
)
from device.camera.picture import read_picture
from device.camera.source import Pace
from device.camera.video import Video
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Frame, Image

log = logging.getLogger("mien.camera")

REPEAT_S = 0.5  # a time lapse must not look like a camera that went silent
MAX_GAP_S = 60.0  # some files have times that jump by hours


@dataclass(frozen=True)
class Listing:
    """What a path holds; the sentences name a path and the reason.

    ``left_out``: neither pictures nor videos. ``unreadable``: could not be looked at.
    """

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def list_sources(path: Path) -> Listing:
    """The file itself, or all pictures and videos of a folder and those below, sorted.

    What a file holds decides, not its name. Hidden files and hidden folders below are left out
    without a word; a hidden folder that is named itself is not.

    Raises:
        CameraError: nothing there, not permitted, or a folder without pictures and videos.
    """
    try:
        if not path.is_dir():
            path.stat()
            return Listing([path])
        os.listdir(path)  # os.walk would say nothing of this one
    except (OSError, ValueError) as error:
        raise CameraError(explain_unreadable(path, error)) from error
    listing = _walk(path)
    if not listing.files:
        why = listing.unreadable or listing.left_out
        first = f" ({why[0]})" if why else ""
        raise CameraError(f"{shown(path)}: no picture and no video in this folder{first}")
    return listing


def require_playable(path: Path) -> None:
    """Finds out before anything is opened whether there is something to replay.

    Files are read up to their first frame, until one is good.

    Raises:
        CameraError: there is not.
    """
    problems = []
    for file in list_sources(path).files:
        try:
            with closing(read_all(file)) as frames:
                next(frames, None)
        except CameraError as error:
            problems.append(error)
        else:
            return
    if len(problems) > 1:
        raise CameraError(f"{shown(path)}: none of its {len(problems)} files can be read")
    raise problems[0]


def _walk(folder: Path) -> Listing:
    listing = Listing()

    def note(error: OSError) -> None:
        listing.unreadable.append(explain_unreadable(Path(error.filename), error))

    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]  # such as .thumbnails
        links = [path for name in folders if (path := Path(parent, name)).is_symlink()]
        listing.left_out.extend(f"{shown(path)}: a link to a folder" for path in links)
        for name in names:
            if not name.startswith("."):
                _sort_in(Path(parent, name), listing)
    return Listing(sorted(listing.files), sorted(listing.left_out), sorted(listing.unreadable))


def _sort_in(path: Path, listing: Listing) -> None:
    try:
        special = special_kind(path.stat().st_mode)
        if special:
            listing.left_out.append(f"{shown(path)}: {special}, not a file")
            return
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        listing.unreadable.append(explain_unreadable(path, error))
        return
    if sniff(head, path.suffix.lower()):
        listing.files.append(path)
    else:
        listing.left_out.append(f"{shown(path)}: not a picture and not a video")


def read_all(
    path: Path, color: bool = False, rate_hz: float = 15.0, start_s: float = 0.0
) -> Generator[Frame, None, None]:
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

    name: str
    is_live: bool = False

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
