"""Pictures, folders of pictures and videos: in real time for the daemon, all frames for tools."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from device.camera.pace import Pace
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Frame, Image

log = logging.getLogger("mien.camera")

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".avi", ".gif", ".m4v", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
MAX_PICTURE_BYTES = 256 << 20
MAX_RATE_HZ = 240.0
MISSING_SHARE = 0.05  # frames a container may promise too many; its count is often an estimate


def is_video(path: Path) -> bool:
    """True when the file's name ends like a video's."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def list_sources(path: Path) -> list[Path]:
    """The file itself, or all pictures and videos of a folder and those below, sorted.

    Raises:
        CameraError: nothing there, not permitted, or a folder without pictures and videos.
    """
    known = PICTURE_SUFFIXES + VIDEO_SUFFIXES
    try:
        if not path.is_dir():
            path.stat()
            return [path]
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in known and not file.name.startswith(".") and file.is_file()
        )
    except OSError as error:
        raise CameraError(f"{path}: cannot read: {error.strerror}") from error
    if not files:
        kinds = " ".join(known)
        raise CameraError(f"{path}: no picture and no video in this folder; known are {kinds}")
    return files


def read_all(
    path: Path, color: bool = False, rate_hz: float = 15.0, start_s: float = 0.0
) -> Iterator[Frame]:
    """Every frame in its original size, none dropped, none waited for.

    Args:
        path: a picture or a video; a folder's files come from ``list_sources``.
        color: RGB instead of grey.
        rate_hz: pace of the stamps where the file has none of its own (pictures).
        start_s: stamp of the first frame; a video's are its own frame interval apart.

    Raises:
        CameraError: the file cannot be read, or a video ends before its time (after the
            frames that could be read).
    """
    if not is_video(path):
        yield Frame(read_picture(path, color), start_s, str(path))
        return
    video = Video(path, color)
    try:
        for number in itertools.count():
            image = video.read()
            if image is None:
                return
            yield Frame(image, start_s + number / (video.rate_hz or rate_hz), str(path))
    finally:
        video.close()


def read_picture(path: Path, color: bool) -> Image:
    """A picture file as RGB or grey, turned as its EXIF says.

    Raises:
        CameraError: unreadable, empty, too large or no picture.
    """
    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise CameraError(f"{path}: larger than {MAX_PICTURE_BYTES >> 20} MB; scale it down")
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise CameraError(f"{path}: cannot read: {error.strerror}") from error
    if not data.size:
        raise CameraError(f"{path}: the file is empty")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:  # more than 2^30 pixels, or no memory for them
        raise CameraError(f"{path}: cannot decode: {error.err or error}") from error
    if image is None:
        raise CameraError(f"{path}: not a picture, or damaged")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if color else image, np.uint8)


class Video:
    """A video file, frame by frame.

    Raises:
        CameraError: missing, not permitted or not a video.
    """

    def __init__(self, path: Path, color: bool) -> None:
        try:
            with path.open("rb"):  # OpenCV doesn't say why it cannot open a file
                pass
        except OSError as error:
            raise CameraError(f"{path}: cannot read: {error.strerror}") from error
        self._path = path
        self._code = cv2.COLOR_BGR2RGB if color else cv2.COLOR_BGR2GRAY
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise CameraError(f"{path}: not a video that OpenCV can decode, or damaged")
        rate_hz = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate_hz = rate_hz if 0 < rate_hz <= MAX_RATE_HZ else None  # some files lie
        self._promised = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._num_read = 0

    def read(self) -> Image | None:
        """The next frame, None at the end.

        Raises:
            CameraError: the file ends before its time.
        """
        good, image = self._capture.read()
        if good:
            self._num_read += 1
            return np.asarray(cv2.cvtColor(image, self._code), np.uint8)
        missing = self._promised - self._num_read
        if not self._num_read or missing > max(2, MISSING_SHARE * self._promised):
            raise CameraError(
                f"{self._path}: ends after {self._num_read} of {self._promised:.0f} frames; "
                "the file is cut off or damaged"
            )
        return None

    def close(self) -> None:
        """Frees the decoder."""
        self._capture.release()


class ReplaySource:
    """A picture, folder or video in real time; starts again at the end when asked to.

    Pictures come at ``frame_rate_hz``, videos at their own pace. A file that cannot be read
    is named once and left out; when none can, the source fails.
    """

    is_live = False

    def __init__(
        self, settings: CameraSettings, color: bool = False, pace: Pace | None = None
    ) -> None:
        self._settings = settings
        self._color = color
        self._fixed_pace = pace
        self._still_pace = pace or Pace(settings.frame_rate_hz)
        self._last_picture: tuple[Path, Image] | None = None  # a single one is decoded once
        self._images: Iterator[Image] = iter(())

    @property
    def name(self) -> str:
        """The path as it stands in the settings."""
        return self._settings.path

    def open(self) -> None:
        """Lists the files.

        Raises:
            CameraError: nothing there to replay.
        """
        self._images = self._play(list_sources(Path(self._settings.path)))

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
                for image in self._play_or_tell(file, told, is_only=len(files) == 1):
                    num_shown += 1
                    yield image
            if not num_shown:
                raise CameraError(f"{self.name}: none of its {len(files)} files can be read")
            if not self._settings.loop:
                return

    def _play_or_tell(self, file: Path, told: set[Path], is_only: bool) -> Iterator[Image]:
        num_shown = 0
        try:
            for image in self._play_file(file):
                num_shown += 1
                yield image
        except CameraError as error:
            if is_only and not num_shown:
                raise
            if file not in told:
                log.warning("%s", error)
                told.add(file)

    def _play_file(self, file: Path) -> Iterator[Image]:
        if not is_video(file):
            if self._last_picture is None or self._last_picture[0] != file:
                self._last_picture = (file, read_picture(file, self._color))
            self._still_pace.wait()
            yield self._last_picture[1]
            return
        video = Video(file, self._color)
        pace = self._fixed_pace or Pace(video.rate_hz or self._settings.frame_rate_hz)
        try:
            while (image := video.read()) is not None:
                pace.wait()
                yield image
        finally:
            video.close()
