"""Annotated copies for ``mien analyze --save``: a picture of a picture, a video of a video."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from device.camera.media_file import is_video
from device.camera.video import Video
from device.cli.arguments import require_writable
from device.errors import CameraError, UsageError
from device.vision.annotate import draw
from device.vocabulary import Classification, Frame, Image

RATE_HZ = 15.0  # of a video that doesn't say its own
PICTURE, VIDEO = ".jpg", ".mp4"
UNFINISHED = ".unfinished.mp4"


class Album:
    """Writes into one folder, each source under a name of its own.

    Raises:
        UsageError: the folder cannot be made or written to, or holds a file that would be
            overwritten.
    """

    def __init__(self, folder: Path, sources: Sequence[Path]) -> None:
        if folder.resolve() in {path.resolve().parent for path in sources}:
            raise UsageError(
                f"--save {folder}: holds pictures to analyze, which must not be overwritten; "
                "name another folder"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"--save {folder}: cannot make the folder: {error.strerror}"
            ) from error
        self._targets = _targets(folder, sources)
        for target in self._targets:
            if os.path.lexists(target):
                raise UsageError(f"{target} is there already; choose a new folder")
        require_writable(folder, f"--save {folder}")

    @contextmanager
    def page(self, source: Path) -> Iterator[Callable[[Frame, list[Classification]], None]]:
        """Takes the frames of the next source, in the ``with`` statement."""
        target = self._targets.pop(0)
        if target.suffix == VIDEO:
            with closing(Clip(target, source)) as clip:
                yield clip.add
        else:
            yield partial(write_picture, target)


def _targets(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """Where the copy of each source goes; those of one name get numbers."""
    stems: dict[str, None] = {}
    for source in sources:
        stem, number = source.stem, 1
        while stem in stems:
            number += 1
            stem = f"{source.stem}-{number}"
        stems[stem] = None
    suffixes = (VIDEO if is_video(source) else PICTURE for source in sources)
    return [folder / f"{stem}{suffix}" for stem, suffix in zip(stems, suffixes, strict=True)]


def write_picture(target: Path, frame: Frame, classifications: list[Classification]) -> None:
    """Draws and writes one annotated picture.

    Raises:
        UsageError: the folder cannot be written to.
    """
    _, data = cv2.imencode(".jpg", _annotated(frame, classifications))
    unfinished = target.with_name(".unfinished.jpg")
    try:
        unfinished.write_bytes(data.tobytes())
        unfinished.replace(target)
    except OSError as error:  # a full disk leaves no half of a picture
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise UsageError(f"{target}: cannot write: {error.strerror}") from error


class Clip:
    """One annotated video, without sound, at the mean rate of its source.

    OpenCV writes it under a plain name in the open folder, whose own name may be no UTF-8.
    """

    def __init__(self, target: Path, source: Path) -> None:
        self._target, self._source = target, source
        self._unfinished = target.with_name(UNFINISHED)
        self._writer: cv2.VideoWriter | None = None

    def add(self, frame: Frame, classifications: list[Classification]) -> None:
        """Draws and writes the next frame.

        Raises:
            UsageError: the folder cannot be written to.
        """
        image = _annotated(frame, classifications)
        if self._writer is None:
            self._writer = self._open(image.shape[1], image.shape[0])
        self._writer.write(image)

    def close(self) -> None:
        """Ends the video and gives it its name.

        Raises:
            UsageError: it could not be written to its end.
        """
        if self._writer is None:
            return
        self._writer.release()
        try:
            Video(self._unfinished, color=False).close()  # OpenCV does not say that a disk is full
            self._unfinished.replace(self._target)
        except (CameraError, OSError) as error:
            self._unfinished.unlink(missing_ok=True)
            raise UsageError(f"{self._target}: cannot write; is the disk full?") from error

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        video = Video(self._source, color=False)
        video.close()
        folder = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            writer = cv2.VideoWriter(
                f"/proc/self/fd/{folder}/{UNFINISHED}",
                cv2.CAP_FFMPEG,
                cv2.VideoWriter.fourcc(*"mp4v"),
                video.rate_hz or RATE_HZ,
                (width, height),
            )
        finally:
            os.close(folder)
        if not writer.isOpened():
            raise UsageError(f"{self._target}: cannot write; OpenCV opens no MP4 file there")
        return writer


def _annotated(frame: Frame, classifications: list[Classification]) -> Image:
    """(height, width, 3) uint8 BGR, as OpenCV writes it."""
    bgr = cv2.cvtColor(draw(frame.image, classifications), cv2.COLOR_RGB2BGR)
    return np.asarray(bgr, np.uint8)
