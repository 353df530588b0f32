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
BOXES = b"ftyp mdat moov moof mfra free skip wide uuid sidx".split()


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
        end = _at(file, max(0, size_bytes - 64), 64).rstrip(b"\0")
        return None if end.endswith(GIF_END) else "its end mark is missing"
    if name == "FLV":
        return None if _ends_with_a_tag(file, size_bytes) else "its last tag is not whole"
    try:
        expected_bytes = EXPECTED_BYTES[name](file) if name in EXPECTED_BYTES else None
    except (struct.error, IndexError):
        return "it ends within its header"
    if expected_bytes is None or expected_bytes <= size_bytes:
        return None
    return f"{size_bytes} of {expected_bytes} bytes are there"


def _end_of_chain(file: BinaryIO, length_of: Callable[[bytes], int | None]) -> int | None:
    """Where the last of the pieces ends, each of which begins with its length."""
    position = 0
    for _ in range(MAX_BOXES):
        header = _at(file, position, 16)
        if len(header) < 8:
            return position
        length = length_of(header)
        if length is None:
            return None
        position += length
    return None


def _box_length(header: bytes) -> int | None:
    """ISO/IEC 14496-12, section 4.2; None: up to the end of the file, or something appended."""
    length, name = struct.unpack_from(">I4s", header)
    if length == 1:
        (length,) = struct.unpack_from(">Q", header, 8)
    return length if length >= 8 and name in BOXES else None


def _riff_length(header: bytes) -> int | None:
    """Large AVI files have several chunks (OpenDML); a live recording never fills in the length."""
    name, length = struct.unpack_from("<4sI", header)
    return 8 + length if name == b"RIFF" and length not in (0, 0xFFFFFFFF) else None


def _matroska_bytes(file: BinaryIO) -> int | None:
    """The end of the segment; RFC 8794, sections 4 and 5. Live recordings don't know it."""
    head = _at(file, 0, HEAD_BYTES)
    length, start = _ebml_number(head, 4)
    segment = start + (length or 0)
    if head[segment : segment + 4] != EBML_SEGMENT:
        return None
    length, start = _ebml_number(head, segment + 4)
    return None if length is None else start + length


def _ebml_number(data: bytes, position: int) -> tuple[int | None, int]:
    """The value, None for "unknown", and where it ends."""
    num_bytes = 9 - data[position].bit_length()
    if num_bytes > 8:
        return None, position + 1
    most = (1 << 7 * num_bytes) - 1
    end = position + num_bytes
    value = int.from_bytes(data[position:end], "big") & most
    return (None if value == most else value), end


def _asf_bytes(file: BinaryIO) -> int | None:
    """The file size of the file properties object; 0 in live recordings."""
    head = _at(file, 0, HEAD_BYTES)
    position = head.find(ASF_FILE_PROPERTIES)
    return None if position < 0 else int(struct.unpack_from("<Q", head, position + 40)[0])


def _ends_with_a_tag(file: BinaryIO, size_bytes: int) -> bool:
    """The file ends with the last tag's size, and the tag says the same of itself."""
    last = int.from_bytes(_at(file, max(0, size_bytes - 4), 4), "big")
    start = size_bytes - 4 - last
    return start >= 13 and int.from_bytes(_at(file, start + 1, 3), "big") + 11 == last


def _at(file: BinaryIO, position: int, num_bytes: int) -> bytes:
    file.seek(position)
    return file.read(num_bytes)


EXPECTED_BYTES: dict[str, Callable[[BinaryIO], int | None]] = {
    "MP4": lambda file: _end_of_chain(file, _box_length),
    "AVI": lambda file: _end_of_chain(file, _riff_length),
    "Matroska": _matroska_bytes,
    "ASF": _asf_bytes,
}
