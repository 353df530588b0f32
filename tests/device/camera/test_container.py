from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from device.camera.container import describe_cut
from device.camera.media_file import Kind

FTYP = struct.pack(">I4s8x", 16, b"ftyp")
LARGE_BOX = struct.pack(">I4sQ", 1, b"mdat", 100)  # its length in eight bytes
TAG = b"\x09" + (5).to_bytes(3, "big") + bytes(7) + bytes(5) + struct.pack(">I", 16)
FLV = b"FLV\x01" + bytes(9) + TAG
ASF = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365").rjust(30) + bytes(24)
EBML = b"\x1a\x45\xdf\xa3\x80"  # a header without content


@pytest.mark.parametrize(
    ("name", "content", "missing"),
    [
        ("MP4", FTYP + LARGE_BOX, "32 of 116 bytes are there"),
        ("MP4", FTYP + LARGE_BOX + bytes(84), None),
        ("MP4", FTYP + struct.pack(">I4s", 0, b"mdat"), None),  # up to the end of the file
        ("MP4", FTYP + struct.pack(">I4s", 1, b"mdat"), "it ends within its header"),
        ("AVI", b"RIFF" + struct.pack("<I", 12) + bytes(4), "12 of 20 bytes are there"),
        ("AVI", b"RIFF" + struct.pack("<I", 0) + bytes(4), None),  # never filled in
        ("AVI", 2 * (b"RIFF" + struct.pack("<I", 4) + b"AVI ") + b"more", None),
        ("Matroska", EBML + b"\x18\x53\x80\x67\x8a" + bytes(9), "19 of 20 bytes are there"),
        ("Matroska", EBML + b"\x18\x53\x80\x67\xff" + bytes(9), None),  # a live recording
        ("Matroska", EBML[:4], "it ends within its header"),
        ("ASF", ASF + struct.pack("<Q", 99), "62 of 99 bytes are there"),
        ("ASF", ASF + struct.pack("<Q", 62), None),
        ("GIF", b"GIF89a;\0\0", None),
        ("GIF", b"GIF89a", "its end mark is missing"),
        ("FLV", FLV, None),
        ("FLV", FLV[:-1], "its last tag is not whole"),
        ("MPEG-TS 188", bytes(376), None),
        ("MPEG-TS 188", bytes(375), "it ends within a packet of 188 bytes"),
        ("Ogg", b"OggS", None),  # does not say
    ],
)
def test_the_container_says_what_is_missing(
    tmp_path: Path, name: str, content: bytes, missing: str | None
) -> None:
    path = tmp_path / "clip"
    path.write_bytes(content)
    with path.open("rb") as file:
        file.seek(0, io.SEEK_END)
        assert describe_cut(file, Kind(name, is_video=True)) == missing
