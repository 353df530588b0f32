"""Whether a video file is cut off: what its container says of its size against what is there."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

from device.camera.media_file import HEAD_BYTES, Kind

MAX_BOXES = 1_000_000  # a fragmented MP4 has two a fragment
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
EBML_SEGMENT = b"\x18\x53\x80\x67"
GIF_END = b"\x3b"
BOXES = (b"mdat", b"moov", b"moof", b"mfra", b"free", b"skip", b"wide", b"uuid", b"sidx")


def describe_cut(file: BinaryIO, kind: Kind) -> str | None:
    """What is missing, for people; None where nothing is, or where the container doesn't say.

    Args:
        file: open, at any place; the place is changed.
        kind: its kind, as ``media_file.read_kind`` says.
    """
    size_bytes = os.fstat(file.fileno()).st_size
    name, _, packet = kind.name.partition(" ")
    if name == "MPEG-TS":
        return f"it ends within a packet of {packet} bytes" if size_bytes % int(packet) else None
    if name == "GIF":
        return (
            None if _last(file, 64).rstrip(b"\0").endswith(GIF_END) else "its end mark is missing"
        )
    if name == "FLV":
        return None if _ends_with_a_tag(file, size_bytes) else "its last tag is not whole"
    expect = EXPECTED_BYTES.get(name)
    try:
        expected_bytes = expect(file) if expect else None
    except (struct.error, IndexError):  # it ends within the header
        return "it ends within its header"
    if expected_bytes is None or expected_bytes <= size_bytes:
        return None
    return f"{size_bytes} of {expected_bytes} bytes are there"


def _mp4_bytes(file: BinaryIO) -> int | None:
    """The end of the last box; ISO/IEC 14496-12, section 4.2."""
    position = 0
    for _ in range(MAX_BOXES):
        header = _at(file, position, 16)
        if len(header) < 8:
            return position
        length = struct.unpack_from(">I", header)[0]
        if length == 1:
            length = struct.unpack_from(">Q", header, 8)[0]
        if length < 8 or header[4:8] not in (*BOXES, b"ftyp"):
            return None  # 0: up to the end of the file; others: something appended
        position += length
    return None


def _riff_bytes(file: BinaryIO) -> int | None:
    """The end of the last RIFF chunk: large AVI files have several (OpenDML)."""
    position = 0
    while (header := _at(file, position, 8))[:4] == b"RIFF":
        length = struct.unpack_from("<I", header, 4)[0]
        if length in (0, 0xFFFFFFFF):  # never filled in: a live recording
            return None
        position += 8 + length
    return position


def _matroska_bytes(file: BinaryIO) -> int | None:
    """The end of the segment; RFC 8794, sections 4 and 5. Live recordings don't know it."""
    head = _at(file, 0, HEAD_BYTES)
    length, num_bytes = _ebml_number(head, 4)
    segment = 4 + num_bytes + (length or 0)
    if head[segment : segment + 4] != EBML_SEGMENT:
        return None
    length, num_bytes = _ebml_number(head, segment + 4)
    return None if length is None else segment + 4 + num_bytes + length


def _ebml_number(data: bytes, position: int) -> tuple[int | None, int]:
    """(value, bytes it takes); the value is None for "unknown"."""
    num_bytes = 9 - data[position].bit_length()
    if num_bytes > 8:
        return None, 1
    raw = int.from_bytes(data[position : position + num_bytes], "big")
    most = (1 << 7 * num_bytes) - 1
    value = raw & most
    return (None if value == most else value), num_bytes


def _asf_bytes(file: BinaryIO) -> int | None:
    """The file size of the file properties object; 0 in live recordings."""
    head = _at(file, 0, HEAD_BYTES)
    position = head.find(ASF_FILE_PROPERTIES)
    if position < 0:
        return None
    told: int = struct.unpack_from("<Q", head, position + 40)[0]
    return told


def _ends_with_a_tag(file: BinaryIO, size_bytes: int) -> bool:
    """The file ends with the last tag's size, and the tag says the same of itself."""
    last = int.from_bytes(_last(file, 4), "big")
    start = size_bytes - 4 - last
    return start >= 13 and int.from_bytes(_at(file, start + 1, 3), "big") + 11 == last


EXPECTED_BYTES: dict[str, Callable[[BinaryIO], int | None]] = {
    "MP4": _mp4_bytes,
    "AVI": _riff_bytes,
    "Matroska": _matroska_bytes,
    "ASF": _asf_bytes,
}


def _at(file: BinaryIO, position: int, num_bytes: int) -> bytes:
    file.seek(position)
    return file.read(num_bytes)


def _last(file: BinaryIO, num_bytes: int) -> bytes:
    file.seek(max(0, os.fstat(file.fileno()).st_size - num_bytes))
    return file.read(num_bytes)
