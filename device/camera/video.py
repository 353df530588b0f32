"""Video files, frame by frame."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from device import MAX_PICTURE_PIXELS
from device.camera.container import describe_cut
from device.camera.media_file import open_media, read_kind, shown
from device.camera.picture import explain_too_large
from device.errors import CameraError
from device.vocabulary import Image

MAX_RATE_HZ = 240.0
MAX_BAD = 1000  # frames in a row that cannot be decoded, before it is taken for the end


class Video:
    """A video file, frame by frame.

    The end is where OpenCV finds no more. What the file says of its length is no promise: sound
    may last longer, the rate may vary, an edit list may leave out most frames. So a video counts
    as damaged when its container is cut off, no frame can be decoded, or OpenCV fails between two
    frames. Of some containers (AVI, Matroska) it leaves out damaged ones and does not say so.

    Args:
        path: a file; OpenCV gets an open descriptor, for a name may be no UTF-8 or look like
            a protocol.
        color: RGB instead of grey.

    Raises:
        CameraError: missing, not permitted, too large or not a video.
    """

    def __init__(self, path: Path, color: bool) -> None:
        self._path = path
        self._code = cv2.COLOR_BGR2RGB if color else cv2.COLOR_BGR2GRAY
        with ExitStack() as stack:
            self._file = stack.enter_context(open_media(path))
            self._kind = read_kind(self._file, path)
            descriptor_path = f"/proc/self/fd/{self._file.fileno()}"
            self._capture = cv2.VideoCapture(descriptor_path, cv2.CAP_FFMPEG)
            stack.callback(self._capture.release)
            self._refuse_unusable()
            self._open = stack.pop_all()
        rate_hz = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate_hz = rate_hz if 0 < rate_hz <= MAX_RATE_HZ else None  # some files lie
        self.time_s = 0.0
        self._num_read = self._num_bad = 0

    def read(self) -> Image | None:
        """The next frame, None at the end; ``time_s`` is then its time from the start.

        Raises:
            CameraError: the file is cut off or damaged.
        """
        try:
            image = None
            if self._grab():
                _, bgr = self._capture.retrieve()
                image = np.asarray(cv2.cvtColor(bgr, self._code), np.uint8)
        except (cv2.error, MemoryError) as error:
            raise CameraError(f"{shown(self._path)}: cannot decode: {error}") from error
        if image is not None:
            self._num_read += 1
            self._note_time()
            return image
        name, cut = shown(self._path), describe_cut(self._file, self._kind)
        if cut:
            why = f"ends after {self._num_read} frames; the file is cut off: {cut}"
            raise CameraError(f"{name}: {why}")
        if not self._num_read:
            raise CameraError(f"{name}: no frame can be decoded")
        if self._num_bad:
            raise CameraError(
                f"{name}: damaged: {self._num_bad} frames cannot be decoded, the other "
                f"{self._num_read} are done"
            )
        return None

    def _grab(self) -> bool:
        """Goes to the next frame that can be decoded; at the end each try fails at once."""
        for failures in range(MAX_BAD):
            if self._capture.grab():
                self._num_bad += failures if self._num_read else 0  # a recording may begin anywhere
                return True
        return False

    def close(self) -> None:
        """Frees the decoder."""
        self._open.close()

    def _refuse_unusable(self) -> None:
        if not self._capture.isOpened():
            cut = describe_cut(self._file, self._kind)
            why = f"not a video that OpenCV can decode, or damaged{f' ({cut})' if cut else ''}"
            raise CameraError(f"{shown(self._path)}: {why}")
        width = self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        if width * self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT) > MAX_PICTURE_PIXELS:
            raise CameraError(explain_too_large(self._path))

    def _note_time(self) -> None:
        """The frame's own time where it goes forward, else one interval more than the last."""
        told_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._num_read == 1:
            self.time_s = told_s if 0 < told_s < math.inf else 0.0
        elif self.time_s < told_s < math.inf:
            self.time_s = told_s
        else:
            self.time_s += 1 / (self.rate_hz or MAX_RATE_HZ)
