"""Picture files, decoded once they are known to be no larger than the device can bear."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from device import MAX_PICTURE_PIXELS
from device.camera.media_file import Kind, explain_unreadable, open_media, read_kind, shown
from device.errors import CameraError
from device.vocabulary import Image

MAX_PICTURE_BYTES = 256 << 20
MEGA = 1_000_000
CONVERT = {
    "HEIC": "OpenCV does not read HEIC; convert it: heif-convert {name} picture.jpg",
    "JPEG XL": "OpenCV does not read JPEG XL; convert it: djxl {name} picture.png",
    "AVIF": "damaged, or this OpenCV does not read AVIF; convert it: avifdec {name} picture.png",
}


def read_picture(path: Path, color: bool) -> Image:
    """A picture file as RGB or grey, turned as its EXIF says.

    Args:
        path: a file; its content decides, not its name.
        color: RGB instead of grey.

    Raises:
        CameraError: unreadable, empty, too large or no picture.
    """
    with open_media(path) as file:
        kind = read_kind(file, path)
        if kind.is_video and kind.name != "GIF":
            raise CameraError(f"{shown(path)}: a video ({kind.name}), not a picture")
        if os.fstat(file.fileno()).st_size > MAX_PICTURE_BYTES:
            limit = f"{MAX_PICTURE_BYTES >> 20} MB"
            raise CameraError(f"{shown(path)}: larger than {limit}; scale it down")
        file.seek(0)
        try:
            data = np.frombuffer(file.read(MAX_PICTURE_BYTES), np.uint8)
        except OSError as error:
            raise CameraError(explain_unreadable(path, error)) from error
    return _decode(data, path, kind, color)


def explain_too_large(path: Path) -> str:
    """The sentence about a picture or video with more pixels than the limit."""
    return f"{shown(path)}: more than {MAX_PICTURE_PIXELS // MEGA} megapixels; scale it down"


def _decode(data: np.ndarray, path: Path, kind: Kind, color: bool) -> Image:
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):  # it has read the size, and reserved nothing yet
            raise CameraError(explain_too_large(path)) from error
        raise CameraError(f"{shown(path)}: cannot decode: {error.err or error}") from error
    except MemoryError as error:
        raise CameraError(f"{shown(path)}: too large for the memory that is free") from error
    if image is None:
        why = CONVERT.get(kind.name, "not a picture, or damaged")
        raise CameraError(f"{shown(path)}: {why.format(name=shown(Path(path.name)))}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if color else image, np.uint8)
