"""Small pictures and videos, written by OpenCV."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

NUM_FRAMES = 30
RATE_HZ = 10
CODECS = {  # by suffix; the container follows from it
    ".avi": "MJPG",
    ".mp4": "mp4v",
    ".m4v": "mp4v",
    ".mov": "mp4v",
    ".3gp": "mp4v",
    ".mkv": "mp4v",
    ".webm": "VP80",
    ".flv": "FLV1",
    ".wmv": "WMV2",
    ".ts": "mpg2",
    ".mts": "mpg2",
    ".m2ts": "mpg2",
    ".mpg": "mpg1",
}


def write_clip(path: Path, num_frames: int = NUM_FRAMES, rate_hz: float = RATE_HZ) -> Path:
    """Frames of 64 × 48 px, each brighter than the last, in the container of the name."""
    rate_hz = 25 if path.suffix == ".mpg" else rate_hz  # MPEG-1 knows no slower one
    codec = cv2.VideoWriter.fourcc(*CODECS[path.suffix])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, rate_hz, (64, 48))
    assert writer.isOpened(), path
    noise = np.random.default_rng(0).integers(0, 40, (48, 64, 3))  # so that a frame takes bytes
    for number in range(num_frames):
        writer.write(np.uint8(noise + 7 * number))
    writer.release()
    return path


def write_picture(path: Path) -> Path:
    """A PNG, whatever its name says."""
    _, data = cv2.imencode(".png", np.zeros((8, 8), np.uint8))
    path.write_bytes(data.tobytes())
    return path


def cut_off(path: Path, share: float = 0.5) -> Path:
    """A copy that lacks the end."""
    cut = path.with_name("cut" + path.suffix)
    cut.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return cut


def promise(path: Path, duration_s: float) -> Path:
    """A Matroska file that says it lasts this long, as one with longer sound does."""
    data = bytearray(path.read_bytes())
    place = data.index(b"\x44\x89\x88")  # Duration, eight bytes, in ms
    struct.pack_into(">d", data, place + 3, 1000 * duration_s)
    path.write_bytes(data)
    return path
