"""Files that may hold pictures or videos: opened with care, known by their first bytes."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from device.errors import CameraError

HEAD_BYTES = 4096  # enough for every signature, and for ASF's file size
PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".avi", ".gif", ".m4v", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
HEIF_BRANDS = b"heic heix heim heis hevc hevx mif1 msf1 mif2".split()
SPECIAL = {"d": "a folder", "p": "a FIFO", "s": "a socket", "c": "a device", "b": "a device"}

# Kind: (offset, the bytes there, any of several). GIF is a video: most have several frames.
PICTURES = {
    "JPEG": (0, (b"\xff\xd8\xff",)),
    "PNG": (0, (b"\x89PNG\r\n\x1a\n",)),
    "BMP": (0, (b"BM",)),
    "TIFF": (0, (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    "WebP": (8, (b"WEBP",)),
    "JPEG 2000": (0, (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    "JPEG XL": (0, (b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a")),
    "Radiance HDR": (0, (b"#?RADIANCE",)),
    "PNM": (0, tuple(b"P%d%c" % (n, end) for n in range(1, 7) for end in b"\n \r\t")),
    "PAM": (0, (b"P7\n",)),
    "AVIF": (4, (b"ftypavif", b"ftypavis")),
    "HEIC": (4, tuple(b"ftyp" + brand for brand in HEIF_BRANDS)),
}
VIDEOS = {
    "MP4": (4, (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    "GIF": (0, (b"GIF87a", b"GIF89a")),
    "AVI": (8, (b"AVI ",)),
    "Matroska": (0, (b"\x1a\x45\xdf\xa3",)),
    "FLV": (0, (b"FLV\x01",)),
    "ASF": (0, (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",)),
    "MPEG": (0, (b"\0\0\x01\xba", b"\0\0\x01\xb3")),
    "Ogg": (0, (b"OggS",)),
    "Y4M": (0, (b"YUV4MPEG2 ",)),
    "IVF": (0, (b"DKIF",)),
    "H.264": (0, (b"\0\0\0\x01\x67",)),
}
TRANSPORT_PACKETS = ((0, 188), (4, 192), (0, 204))  # offset of the sync byte, bytes a packet
NUM_SYNCS = 4


@dataclass(frozen=True)
class Kind:
    """What a file's first bytes say: a name for people, and whether it is a video."""

    name: str
    is_video: bool


def shown(path: Path) -> str:
    """The path for people, on one line: what is no UTF-8, or not printable, is escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def explain_unreadable(path: Path, error: OSError | ValueError) -> str:
    """The sentence about a path that the kernel refuses; ValueError: its name has a null byte."""
    reason = error.strerror if isinstance(error, OSError) else error
    return f"{shown(path)}: cannot read: {reason}"


def open_media(path: Path) -> BinaryIO:
    """Opens a regular file; the caller closes it.

    Raises:
        CameraError: missing, not permitted, empty, or no regular file: a device has no end
            and a FIFO waits for ever.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise CameraError(explain_unreadable(path, error)) from error
    status = os.fstat(descriptor)
    special = special_kind(status.st_mode)
    if not special and status.st_size:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    why = f"{special}, not a picture or video file" if special else "the file is empty"
    raise CameraError(f"{shown(path)}: {why}")


def special_kind(mode: int) -> str | None:
    """``a FIFO``, ``a device`` and so on; None for a regular file."""
    return SPECIAL.get(stat.filemode(mode)[0])


def is_video(path: Path) -> bool:
    """True when the file's content is a video's, or when it is unknown and the name is one's."""
    try:
        with open_media(path) as file:
            return read_kind(file, path).is_video
    except CameraError:
        return path.suffix.lower() in VIDEO_SUFFIXES


def read_kind(file: BinaryIO, path: Path) -> Kind:
    """The kind of an open file; the name decides only when the content is unknown.

    Raises:
        CameraError: neither the content nor the name is a picture's or a video's.
    """
    file.seek(0)
    try:
        kind = sniff(file.read(HEAD_BYTES), path.suffix.lower())
    except OSError as error:
        raise CameraError(explain_unreadable(path, error)) from error
    if kind is None:
        raise CameraError(f"{shown(path)}: not a picture and not a video")
    return kind


def sniff(head: bytes, suffix: str) -> Kind | None:
    """The kind that the first bytes show.

    Args:
        head: the first 4096 bytes of the file, or all of it.
        suffix: of its name, lower case; counts for what the content does not tell.
    """
    if head.startswith(b"\xff\xd8\xff") and suffix in (".mjpg", ".mjpeg"):
        return Kind("Motion JPEG", is_video=True)
    for signatures, are_videos in ((PICTURES, False), (VIDEOS, True)):
        for name, (offset, starts) in signatures.items():
            if head.startswith(starts, offset):
                return Kind(name, are_videos)
    for start, packet in TRANSPORT_PACKETS:
        syncs = head[start : start + NUM_SYNCS * packet : packet]
        if len(syncs) == NUM_SYNCS and set(syncs) == {0x47}:
            return Kind(f"MPEG-TS {packet}", is_video=True)
    if suffix in PICTURE_SUFFIXES:
        return Kind("picture", is_video=False)
    if suffix in VIDEO_SUFFIXES:
        return Kind("video", is_video=True)
    return None
