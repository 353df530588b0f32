"""Annotated copies for ``mien analyze --save``: a picture of a picture, a video of a video."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from device.camera.media_file import is_video
from device.camera.video import Video
from device.cli.arguments import require_writable
from device.errors import CameraError, MienError, UsageError
from device.vision.annotate import draw
from device.vision.synthetic_mark import MAX_JPEG_PX
from device.vocabulary import Classification, Frame, Image

RATE_HZ = 15.0  # of a video that doesn't say its own
PICTURE, VIDEO = ".jpg", ".mp4"
UNFINISHED = ".unfinished.mp4"
VIDEO_SIDE_PX = (2, 8191)  # of MPEG-4


class CopyError(MienError):
    """The copy of one source cannot be made; those of the others can."""


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
        """Takes the frames of the next source, in the ``with`` statement.

        A video gets its name at the end of its source. It gets none where something else ends it,
        such as Ctrl-C: half a copy must not look like a whole one.
        """
        target = self._targets.pop(0)
        if target.suffix != VIDEO:
            yield partial(write_picture, target)
            return
        clip, is_whole = Clip(target, source), False
        try:
            yield clip.add
            is_whole = True
        except CameraError:  # a damaged source ends here, too
            is_whole = True
            raise
        finally:
            if is_whole:
                clip.close()
            else:
                clip.discard()


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
        CopyError: a JPEG cannot hold it.
        UsageError: the folder cannot be written to.
    """
    if max(frame.width, frame.height) > MAX_JPEG_PX:
        raise CopyError(f"{target}: no copy: a JPEG has at most {MAX_JPEG_PX} px a side")
    is_done, data = cv2.imencode(".jpg", _annotated(frame, classifications))
    if not is_done:
        raise CopyError(f"{target}: no copy: OpenCV cannot make a JPEG of it")
    unfinished = target.with_name(".unfinished.jpg")
    try:
        unfinished.write_bytes(data.tobytes())
        unfinished.replace(target)
    except OSError as error:
        raise UsageError(f"{target}: cannot write: {error.strerror}") from error
    finally:  # neither a full disk nor Ctrl-C leaves half of a picture
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


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
            CopyError: an MP4 file cannot hold it.
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

    def discard(self) -> None:
        """Ends the video and deletes what there is of it."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        with suppress(OSError):
            self._unfinished.unlink(missing_ok=True)

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        least, most = VIDEO_SIDE_PX
        if not least <= min(width, height) <= max(width, height) <= most:
            raise CopyError(
                f"{self._target}: no copy: an MP4 video has {least} to {most} px a side, "
                f"not {width}×{height}"
            )
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
            require_writable(self._target.parent, str(self._target))
            raise CopyError(f"{self._target}: no copy: OpenCV opens no MP4 file there")
        return writer


def _annotated(frame: Frame, classifications: list[Classification]) -> Image:
    """(height, width, 3) uint8 BGR, as OpenCV writes it."""
    bgr = cv2.cvtColor(draw(frame.image, classifications), cv2.COLOR_RGB2BGR)
    return np.asarray(bgr, np.uint8)
