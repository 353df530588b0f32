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
SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

# (offset, first bytes, kind). GIF is with the videos: most have more than one frame.
PICTURES = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (8, b"WEBP", "WebP"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    *((0, b"P%d%s" % (n, end), "PNM") for n in range(1, 7) for end in (b"\n", b" ", b"\r", b"\t")),
    (0, b"P7\n", "PAM"),
)
VIDEOS = (
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"AVI ", "AVI"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska"),
    (0, b"FLV\x01", "FLV"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF"),
    (0, b"\0\0\x01\xba", "MPEG"),
    (0, b"\0\0\x01\xb3", "MPEG"),
    (0, b"OggS", "Ogg"),
    (0, b"YUV4MPEG2 ", "Y4M"),
    (0, b"DKIF", "IVF"),
    (0, b"\0\0\0\x01\x67", "H.264"),
    *((4, box, "MP4") for box in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
)
# ISO base media files: the brand after ``ftyp`` says what is in them.
AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2")
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


def open_media(path: Path) -> BinaryIO:
    """Opens a regular file; the caller closes it.

    Raises:
        CameraError: missing, not permitted, empty, or no regular file: a device has no end
            and a FIFO waits for ever.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CameraError(f"{shown(path)}: cannot read: {reason}") from error
    status = os.fstat(descriptor)
    special = special_kind(status.st_mode)
    if not special and status.st_size:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    why = f"{special}, not a picture or video file" if special else "the file is empty"
    raise CameraError(f"{shown(path)}: {why}")


def special_kind(mode: int) -> str | None:
    """``a FIFO``, ``a device`` and so on; None for a regular file."""
    return next((name for is_kind, name in SPECIAL if is_kind(mode)), None)


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
        raise CameraError(f"{shown(path)}: cannot read: {error.strerror}") from error
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
    if head[4:8] == b"ftyp":
        return _sniff_brand(head[8:12])
    for signatures, are_videos in ((PICTURES, False), (VIDEOS, True)):
        for offset, signature, name in signatures:
            if head.startswith(signature, offset):
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


def _sniff_brand(brand: bytes) -> Kind:
    if brand in AVIF_BRANDS:
        return Kind("AVIF", is_video=False)
    if brand in HEIF_BRANDS:
        return Kind("HEIC", is_video=False)
    return Kind("MP4", is_video=True)
